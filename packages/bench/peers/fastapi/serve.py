"""Runs app.py as its users do: uvicorn with uvloop and httptools, in PROCESSES processes on PORT.

Ends with all of its processes when its standard input is closed, and so with the benchmark. It must be the leader of its
process group.
"""

import os
import signal
import sys
import threading

import uvicorn


def end_with_parent():
    sys.stdin.read()
    os.killpg(0, signal.SIGKILL)


# With several processes, each imports this file too.
if __name__ == "__main__":
    threading.Thread(target=end_with_parent, daemon=True).start()
    uvicorn.run(
        "app:app",
        host="127.0.0.1",
        port=int(os.environ["PORT"]),
        workers=int(os.environ["PROCESSES"]),
        loop="uvloop",
        http="httptools",
        log_level="warning",
        access_log=False,
    )
