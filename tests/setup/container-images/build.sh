#!/bin/sh
# Builds stand-ins for the images that tests/setup/containers.ts starts, out of Debian packages, for machines
# that reach a Debian mirror but no image registry. What they are and how they differ: README.md beside this file.
# Needs root, debootstrap and a running Docker engine. SUITE is the Debian release, trixie by default.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
suite=${SUITE:-trixie}
[ "$(id -u)" = 0 ] || { echo "build.sh: debootstrap needs root" >&2; exit 1; }
command -v debootstrap >/dev/null || { echo "build.sh: install debootstrap first" >&2; exit 1; }
docker info >/dev/null || { echo "build.sh: no Docker engine answers" >&2; exit 1; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# From packages only, not `docker build`: that would need a network inside of containers.
debootstrap --variant=minbase "$suite" "$work/base"
# Installing must start no server: it would run on this machine, not in the image.
printf '#!/bin/sh\nexit 101\n' > "$work/base/usr/sbin/policy-rc.d"
chmod 755 "$work/base/usr/sbin/policy-rc.d"
# Each container makes its own cluster when it starts.
mkdir "$work/base/etc/postgresql-common"
echo 'create_main_cluster = false' > "$work/base/etc/postgresql-common/createcluster.conf"

# add_package ROOT PACKAGE
add_package() {
  cp -a "$work/base" "$1"
  # This machine's TMPDIR need not exist in there.
  env -u TMPDIR DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 \
    chroot "$1" apt-get install -y --no-install-recommends "$2"
  chroot "$1" apt-get clean
  rm -rf "$1"/var/lib/apt/lists/* "$1/usr/sbin/policy-rc.d"
}

# import_image ROOT NAME ENTRYPOINT [--change …]
import_image() {
  root=$1 name=$2
  install -m 755 "$here/$3" "$root/usr/local/bin/docker-entrypoint.sh"
  shift 3
  tar -C "$root" --one-file-system --exclude='./proc/*' --exclude='./sys/*' --exclude='./dev/*' -c . |
    docker import --change 'ENTRYPOINT ["docker-entrypoint.sh"]' --change 'ENV LANG=C.UTF-8' "$@" - "$name"
}

add_package "$work/postgres" postgresql
major=$(ls "$work/postgres/usr/lib/postgresql")
import_image "$work/postgres" postgres:18 postgres-entrypoint.sh \
  --change "LABEL sluice.stand-in=\"PostgreSQL $major of Debian $suite\"" \
  --change "ENV PATH=/usr/lib/postgresql/$major/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" \
  --change "ENV PGDATA=/var/lib/postgresql/$major/docker" \
  --change 'VOLUME /var/lib/postgresql' --change 'EXPOSE 5432' --change 'CMD ["postgres"]'

add_package "$work/redis" redis-server
import_image "$work/redis" redis:8 redis-entrypoint.sh \
  --change "LABEL sluice.stand-in=\"Redis of Debian $suite\"" \
  --change 'VOLUME /data' --change 'WORKDIR /data' --change 'EXPOSE 6379' --change 'CMD ["redis-server"]'

docker run --rm --entrypoint postgres postgres:18 --version
docker run --rm --entrypoint redis-server redis:8 --version
