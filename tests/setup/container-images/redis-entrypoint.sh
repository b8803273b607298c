#!/bin/sh
# Does what the official image's entrypoint does: options alone mean redis-server, which runs as the user `redis`
# in /data and answers to other machines than itself.
set -eu

case "${1:-redis-server}" in
-*) set -- redis-server "$@" ;;
esac
[ "$1" = redis-server ] || exec "$@"

if [ "$(id -u)" = 0 ]; then
  chown redis:redis . # the working folder, /data
  exec setpriv --reuid=redis --regid=redis --init-groups "$0" "$@"
fi
shift
# The official image is built with protected mode off; Debian's Redis would refuse all but its own loopback.
exec redis-server --protected-mode no "$@"
