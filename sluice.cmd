@echo off
rem Runs the command line (packages\cli) with the project's own Node, as `sluice` does on other systems. Untested.
setlocal
set "root=%~dp0"
set "node=%root%node_modules\node-runtime\bin\node.exe"
if not exist "%node%" goto missing
if not exist "%root%packages\cli\node_modules" goto missing
if not defined NODE_COMPILE_CACHE set "NODE_COMPILE_CACHE=%root%node_modules\.cache\sluice"
"%node%" "%root%packages\cli\src\main.ts" %*
exit /b %errorlevel%

:missing
echo Sluice is not installed yet. Type this in %root%: 1>&2
echo. 1>&2
echo   npx -y pnpm@12 install 1>&2
exit /b 2
