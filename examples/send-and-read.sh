#!/bin/sh
# Sends one event, waits until it is stored, and prints it as it was sent.
set -eu
ingest=${INGEST_URL:-http://127.0.0.1:8080}
query=${QUERY_URL:-http://127.0.0.1:8081}

# An id that stays the same when the event is sent again: it is stored once, however often it is sent.
id=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n' | sed -E 's/^(.{8})(.{4})(.{4})(.{4})(.{12})$/\1-\2-\3-\4-\5/')

curl --silent --show-error --fail "$ingest/api/events" \
  -H 'content-type: application/json' ${API_KEY:+-H "x-api-key: $API_KEY"} \
  -d '{"events":[{"eventId":"'"$id"'","eventType":"CellChange","timestamp":"'"$(date -u +%Y-%m-%dT%H:%M:%SZ)"'",
                  "userName":"ada","workbookName":"Budget.xlsx","cellAddress":"B7","oldValue":"41","newValue":"42"}]}' >&2
echo >&2

# A 202 says that the event is safe in the queue; a moment later it is stored. Until then the query API answers 404.
for _ in $(seq 1 100); do
  if curl --silent --fail ${API_KEY:+-H "x-api-key: $API_KEY"} "$query/api/events/$id"; then
    echo
    exit 0
  fi
  sleep 0.2
done
echo "$id was accepted and is not stored after 20 s: what does the writer's /health say?" >&2
exit 1
