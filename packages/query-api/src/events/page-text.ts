/**
 * The JSON text of an answer with events that are JSON texts already.
 *
 * @param before properties before the events
 * @param after properties after the events
 */
export function pageText(events: readonly string[], after: object, before: object = {}): string {
  return `{${[inside(before), `"events":[${events.join(',')}]`, inside(after)].filter((text) => text !== '').join(',')}}`;
}

/** The properties of an object as JSON, without its braces. */
function inside(properties: object): string {
  return JSON.stringify(properties).slice(1, -1);
}
