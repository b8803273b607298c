#!/bin/sh
# Entry point of the image: `run.sh writer-worker` runs that daemon, anything else is run as it is (`sluice status`, `sh`).
# exec, so that the daemon gets the signals; tracing has to be loaded before it.
set -eu

case "${1:-}" in
ingest-api | writer-worker | maintenance-worker | query-api)
  daemon=$1
  shift
  exec node --import "/app/packages/$daemon/src/tracing.ts" "/app/packages/$daemon/src/main.ts" "$@"
  ;;
'')
  echo 'run.sh: which daemon? ingest-api, writer-worker, maintenance-worker or query-api' >&2
  exit 64
  ;;
*) exec "$@" ;;
esac
