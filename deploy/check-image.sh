#!/bin/sh
# Builds the image and runs it as deploy/compose.yaml does, on your engine: Postgres, Redis and the four daemons, with two
# writers. Sends an event, reads it back, and stops every daemon in order. Removes all that it made. CI does not run it.
#
#   deploy/check-image.sh
#   BASE_IMAGE=another-node:24 deploy/check-image.sh     # with a stand-in for node:24-bookworm-slim
#   BUILD_OPTIONS=--network=host deploy/check-image.sh   # where containers have no network while they are built
set -eu
cd "$(dirname "$0")/.."

project=sluice-check-$$
environment=$(mktemp)
cat > "$environment" <<END
COMPOSE_PROJECT_NAME=$project
SLUICE_VERSION=check
API_KEY=a-key-for-this-check
POSTGRES_PASSWORD=forthischeck
REDIS_PASSWORD=forthischeck
GRAFANA_PASSWORD=forthischeck
OTEL_SDK_DISABLED=true
END
if docker compose version > /dev/null 2>&1; then compose='docker compose'; else compose=docker-compose; fi
run() { $compose --env-file "$environment" -f deploy/compose.yaml "$@"; }
finish() {
  run down --volumes > /dev/null 2>&1 || true
  rm -f "$environment"
}
trap finish EXIT
fail() {
  echo "check-image.sh: $1" >&2
  run logs --tail 20 >&2
  exit 1
}

# shellcheck disable=SC2086 # several options in one variable
docker build ${BUILD_OPTIONS:-} ${BASE_IMAGE:+--build-arg "BASE_IMAGE=$BASE_IMAGE"} -f deploy/Dockerfile -t sluice:check .
run up --detach --no-build --scale writer-worker=2 ingest-api writer-worker maintenance-worker query-api

daemons=$(run ps -q ingest-api writer-worker maintenance-worker query-api)
for id in $daemons; do
  tries=0
  until [ "$(docker inspect --format '{{.State.Health.Status}}' "$id")" = healthy ]; do
    tries=$((tries + 1))
    [ "$tries" -le 90 ] || fail "$(docker inspect --format '{{.Name}}' "$id") is not healthy"
    sleep 1
  done
done

# From inside the network, because no daemon is published: sends and reads an event as a client does.
run exec -T query-api node --input-type=module -e '
  const key = { "x-api-key": process.env.API_KEY, "content-type": "application/json" };
  const eventId = crypto.randomUUID();
  const event = { eventId, eventType: "Check", timestamp: new Date().toISOString() };
  const sent = await fetch("http://ingest-api:8080/api/events", { method: "POST", headers: key, body: JSON.stringify({ events: [event] }) });
  console.log(sent.status, await sent.text());
  if (sent.status !== 202) process.exit(1);
  for (const until = Date.now() + 20_000; Date.now() < until; await new Promise((done) => setTimeout(done, 50))) {
    const read = await fetch(`http://127.0.0.1:8080/api/events/${eventId}`, { headers: key });
    if (read.status === 200) { console.log("stored:", await read.text()); process.exit(0); }
  }
  process.exit(1);' || fail 'the event was not stored'
run exec -T query-api sluice status

for id in $daemons; do
  name=$(docker inspect --format '{{.Name}}' "$id")
  docker stop --time 30 "$id" > /dev/null
  code=$(docker inspect --format '{{.State.ExitCode}}' "$id")
  [ "$code" = 0 ] || fail "$name ended with $code"
  echo "$name stopped in order"
done
docker image inspect --format 'sluice:check has {{.Size}} bytes and runs as {{.Config.User}}' sluice:check
