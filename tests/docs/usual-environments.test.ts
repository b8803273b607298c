import { expect, it } from 'vitest';
import { type Environment } from '@sluice/daemon/config/read-environment';
import { logSettings } from '@sluice/daemon/log/log-settings';
import { createLogger } from '@sluice/daemon/log/logger';
import { INGEST_VARIABLES } from '@sluice/ingest-api/config';
import { MAINTENANCE_VARIABLES } from '@sluice/maintenance-worker/config';
import { QUERY_VARIABLES } from '@sluice/query-api/config';
import { WRITER_VARIABLES } from '@sluice/writer-worker/config';

const DAEMONS = {
  'ingest-api': Object.keys(INGEST_VARIABLES.properties),
  'writer-worker': Object.keys(WRITER_VARIABLES.properties),
  'maintenance-worker': Object.keys(MAINTENANCE_VARIABLES.properties),
  'query-api': Object.keys(QUERY_VARIABLES.properties),
};

const set = (names: string): Environment =>
  Object.fromEntries(
    names
      .trim()
      .split(/\s+/)
      .map((name) => [name, 'x']),
  );

/** Names as these places set them; of Kubernetes with values, since those tell. */
const PLACES: Record<string, Environment> = {
  'a login on Debian': set(`
    BASH BASHOPTS BASH_VERSION COLORTERM COLUMNS DBUS_SESSION_BUS_ADDRESS DESKTOP_SESSION DISPLAY EDITOR EUID GDMSESSION
    GPG_AGENT_INFO HISTCONTROL HISTFILE HISTSIZE HOME HOSTNAME HOSTTYPE IFS LANG LANGUAGE LC_ALL LC_CTYPE LESSCLOSE LESSOPEN
    LINES LOGNAME LS_COLORS MACHTYPE MAIL NVM_DIR OLDPWD OPTERR OPTIND OSTYPE PAGER PATH PIPESTATUS PPID PROMPT_COMMAND PS1
    PS2 PS4 PWD SESSION_MANAGER SHELL SHELLOPTS SHLVL SSH_AGENT_PID SSH_AUTH_SOCK SSH_CLIENT SSH_CONNECTION SSH_TTY SUDO_COMMAND
    SUDO_GID SUDO_UID SUDO_USER TERM TERM_PROGRAM TMPDIR TZ UID USER USERNAME VISUAL WAYLAND_DISPLAY WINDOWID XAUTHORITY
    XDG_CONFIG_DIRS XDG_CURRENT_DESKTOP XDG_DATA_DIRS XDG_MENU_PREFIX XDG_RUNTIME_DIR XDG_SEAT XDG_SESSION_CLASS XDG_SESSION_ID
    XDG_SESSION_TYPE XDG_VTNR _ http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY ALL_PROXY DEBIAN_FRONTEND
    DEBEMAIL DEBFULLNAME LD_LIBRARY_PATH MANPATH NODE_ENV NODE_OPTIONS NODE_PATH NODE_EXTRA_CA_CERTS NPM_CONFIG_CACHE PGDATA`),
  'a service of systemd': set(`
    INVOCATION_ID JOURNAL_STREAM LISTEN_FDS LISTEN_PID LOGS_DIRECTORY MAINPID MANAGERPID NOTIFY_SOCKET RUNTIME_DIRECTORY
    STATE_DIRECTORY CACHE_DIRECTORY CONFIGURATION_DIRECTORY CREDENTIALS_DIRECTORY SYSTEMD_EXEC_PID MEMORY_PRESSURE_WATCH WATCHDOG_USEC`),
  'a runner of GitHub': set(`
    ACCEPT_EULA ACTIONS_CACHE_URL ACTIONS_RUNNER_DEBUG ACTIONS_RUNTIME_TOKEN ACTIONS_RUNTIME_URL AGENT_TOOLSDIRECTORY ANDROID_HOME
    ANDROID_NDK ANDROID_SDK_ROOT ANT_HOME AZURE_EXTENSION_DIR BOOTSTRAP_HASKELL_NONINTERACTIVE CHROMEWEBDRIVER CHROME_BIN CI CONDA
    DOTNET_MULTILEVEL_LOOKUP DOTNET_NOLOGO EDGEWEBDRIVER ENABLE_RUNNER_TRACING GECKOWEBDRIVER GHCUP_INSTALL_BASE_PREFIX GITHUB_ACTION
    GITHUB_ACTIONS GITHUB_ACTION_REF GITHUB_ACTION_REPOSITORY GITHUB_ACTOR GITHUB_ACTOR_ID GITHUB_API_URL GITHUB_BASE_REF GITHUB_ENV
    GITHUB_EVENT_NAME GITHUB_EVENT_PATH GITHUB_GRAPHQL_URL GITHUB_HEAD_REF GITHUB_JOB GITHUB_OUTPUT GITHUB_PATH GITHUB_REF
    GITHUB_REF_NAME GITHUB_REF_PROTECTED GITHUB_REF_TYPE GITHUB_REPOSITORY GITHUB_REPOSITORY_ID GITHUB_REPOSITORY_OWNER
    GITHUB_RETENTION_DAYS GITHUB_RUN_ATTEMPT GITHUB_RUN_ID GITHUB_RUN_NUMBER GITHUB_SERVER_URL GITHUB_SHA GITHUB_STATE
    GITHUB_STEP_SUMMARY GITHUB_TOKEN GITHUB_TRIGGERING_ACTOR GITHUB_WORKFLOW GITHUB_WORKFLOW_REF GITHUB_WORKFLOW_SHA GITHUB_WORKSPACE
    GOROOT_1_22_X64 GRADLE_HOME HOMEBREW_CELLAR HOMEBREW_PREFIX ImageOS ImageVersion JAVA_HOME JAVA_HOME_17_X64 LEIN_HOME LEIN_JAR
    NVM_DIR PERFLOG_LOCATION_SETTING PIPX_BIN_DIR PIPX_HOME POWERSHELL_DISTRIBUTION_CHANNEL RUNNER_ARCH RUNNER_ENVIRONMENT RUNNER_NAME
    RUNNER_OS RUNNER_PERFLOG RUNNER_TEMP RUNNER_TOOL_CACHE RUNNER_TRACKING_ID RUNNER_USER RUNNER_WORKSPACE SELENIUM_JAR_PATH
    SGX_AESM_ADDR SWIFT_PATH USE_BAZEL_FALLBACK_VERSION VCPKG_INSTALLATION_ROOT XDG_CONFIG_HOME npm_config_user_agent npm_lifecycle_event
    npm_package_json npm_execpath INIT_CWD PNPM_HOME PNPM_SCRIPT_SRC_DIR VITEST VITEST_MODE VITEST_POOL_ID VITEST_WORKER_ID TEST`),
  'a container with an image of Node': set(`
    NODE_VERSION YARN_VERSION HOME HOSTNAME PATH PWD SHLVL NODE_ENV CONTAINER container TINI_VERSION GPG_KEY LANG
    AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN AWS_REGION AWS_DEFAULT_REGION AWS_ROLE_ARN AWS_WEB_IDENTITY_TOKEN_FILE
    AWS_EXECUTION_ENV AWS_CONTAINER_CREDENTIALS_RELATIVE_URI ECS_CONTAINER_METADATA_URI ECS_CONTAINER_METADATA_URI_V4
    GOOGLE_APPLICATION_CREDENTIALS K_SERVICE K_REVISION K_CONFIGURATION AZURE_CLIENT_ID AZURE_TENANT_ID FLY_APP_NAME FLY_REGION
    DYNO SENTRY_DSN DD_AGENT_HOST DD_ENV DD_SERVICE DD_TRACE_AGENT_URL NEW_RELIC_LICENSE_KEY`),
  'a pod of Kubernetes': {
    ...Object.fromEntries(
      [
        'KUBERNETES',
        'SLUICE',
        'SLUICE_INGEST_API',
        'INGEST',
        'QUERY',
        'WRITER',
        'REDIS',
        'REDIS_MASTER',
        'POSTGRES',
        'POSTGRESQL',
        'OTEL_COLLECTOR',
        'API',
        'LOG',
      ].flatMap((service) => [
        [`${service}_SERVICE_HOST`, '10.0.0.1'],
        [`${service}_SERVICE_PORT`, '443'],
        [`${service}_SERVICE_PORT_HTTPS`, '443'],
        [`${service}_PORT`, 'tcp://10.0.0.1:443'],
        [`${service}_PORT_443_TCP`, 'tcp://10.0.0.1:443'],
        [`${service}_PORT_443_TCP_PROTO`, 'tcp'],
        [`${service}_PORT_443_TCP_PORT`, '443'],
        [`${service}_PORT_443_TCP_ADDR`, '10.0.0.1'],
      ]),
    ),
    ...set('POD_NAME POD_NAMESPACE POD_IP NODE_NAME HOST_IP GOMAXPROCS HOSTNAME'),
  },
};

/** What a daemon that reads these variables warns of. */
function warnings(environment: Environment, variables: readonly string[]): Record<string, unknown>[] {
  const lines: Record<string, unknown>[] = [];
  const write = (line: string): void => void lines.push(JSON.parse(line) as Record<string, unknown>);
  const logger = createLogger({ daemon: 'ingest-api', version: '1.2.3', level: 'warn' }, { write });
  logSettings(logger, environment, { variables, envFile: '/none' });
  return lines;
}

it.each(Object.keys(PLACES))('no daemon warns of a variable that %s has', (place) => {
  for (const variables of Object.values(DAEMONS)) expect(warnings(PLACES[place]!, variables)).toEqual([]);
});

it.each(Object.entries(DAEMONS))('%s takes no variable of another daemon for a misspelt one', (_, variables) => {
  const all = [...new Set(Object.values(DAEMONS).flat()), 'SLUICE_DATA_DIR', 'QUERY_URL', 'VISUAL', 'EDITOR'];
  const values: Readonly<Record<string, string>> = { OTEL_TRACES_EXPORTER: 'otlp' };
  const environment = Object.fromEntries(all.map((name) => [name, values[name] ?? '1']));
  expect(warnings(environment, variables)).toEqual([]);
});

const misspelt = (name: string): string => name.slice(0, -1);

it.each(Object.entries(DAEMONS))('%s warns of each of its variables without its last letter', (_, variables) => {
  // Shorter ones are words that others use; the prefixes of these two are looked at by their own checks.
  const long = variables.filter(
    (name) => name.length >= 6 && !/^(?:SLUICE|OTEL)_/.test(name) && !variables.includes(misspelt(name)),
  );
  const found = warnings(Object.fromEntries(long.map((name) => [misspelt(name), '1'])), variables);
  expect(found.map(({ variable, hint }) => [variable, hint])).toEqual(
    long.map((name) => [misspelt(name), `did you mean ${name}?`]),
  );
});
