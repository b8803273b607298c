#!/bin/sh
# Entry point of the image: `run.sh writer-worker` runs that daemon. Any other command runs as it is (`sluice status`, `sh`).
# A daemon is a package with a main.ts. `exec` makes it receive the signals. Tracing must be loaded before it.
set -eu

if [ -z "${1:-}" ]; then
  echo 'run.sh: name a daemon: ingest-api, writer-worker, maintenance-worker or query-api' >&2
  exit 64
fi
main="/app/packages/$1/src/main.ts"
[ -f "$main" ] || exec "$@"
shift
exec node --import /app/packages/daemon/src/tracing.ts "$main" "$@"
