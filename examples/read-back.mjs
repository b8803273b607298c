// Prints every event of one user, newest first, one JSON object a line: node examples/read-back.mjs [USER]
const url = `${process.env.QUERY_URL ?? 'http://127.0.0.1:8081'}/api/events/query`;
const key = process.env.API_KEY;
const [user = 'ada'] = process.argv.slice(2);

let cursor;
do {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(key ? { 'x-api-key': key } : {}) },
    // The same filter with each cursor: it stays the same list, however many events come in meanwhile.
    body: JSON.stringify({ user_names: [user], limit: 4, ...(cursor ? { cursor } : {}) }),
  });
  if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`);
  const page = await response.json();
  for (const event of page.events) console.log(JSON.stringify(event));
  cursor = page.next_cursor;
} while (cursor);
