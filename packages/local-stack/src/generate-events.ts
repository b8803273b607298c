import { randomUUID } from 'node:crypto';
import type { EventText } from './read-events-file.ts';

const USERS = 400;
const WORKBOOKS = 60;
const TYPES = ['CellChange', 'CellChange', 'CellChange', 'CellChange', 'SheetActivate', 'WorkbookSave', 'WorkbookOpen'];

/**
 * Makes events like those of a fleet of Excel add-ins: most are cell changes, a few users and workbooks have most
 * of the traffic, and times are within the last minutes. It builds the text directly, so that making events costs a
 * fraction of sending them.
 *
 * @param first number of the first one: sessions and correlation ids change with the number
 */
export function* generateEvents(count: number, first = 0): Generator<EventText> {
  const now = Date.now();
  for (let index = first; index < first + count; index += 1) {
    const eventId = randomUUID();
    const user = skewed(USERS);
    const timestamp = new Date(now - (first + count - index)).toISOString();
    const row = 1 + Math.floor(Math.random() * 500);
    const oldValue = Math.floor(Math.random() * 100_000) / 100;
    const text =
      `{"eventId":"${eventId}","timestamp":"${timestamp}","eventType":"${TYPES[index % TYPES.length]}",` +
      `"userName":"user-${user}","machineName":"PC-${user}","sessionId":"session-${user}-${Math.floor(index / 50_000)}",` +
      `"workbookName":"Budget ${skewed(WORKBOOKS)}.xlsx","sheetName":"Sheet1","cellAddress":"$C$${row}",` +
      `"oldValue":"${oldValue}","newValue":"${oldValue + 1}","correlationId":"demo-${Math.floor(index / 100)}"}`;
    yield { text, eventId };
  }
}

/** A whole number below `limit`, small ones much more often. */
function skewed(limit: number): number {
  return Math.floor(limit * Math.random() ** 3);
}
