import type { Connection, Submittable } from 'pg';
import type { Client } from '../pool.ts';

/** The parts of pg's connection that COPY needs; its types omit them. */
interface CopyConnection {
  query(text: string): void;
  sendCopyFromChunk(chunk: Buffer): void;
  endCopyFrom(): void;
}

/**
 * Sends statements of which the last but a COMMIT is `COPY … FROM STDIN`, and the rows right behind them: one round trip.
 * When a statement fails, Postgres ignores the rows.
 *
 * @throws what Postgres answered; the transaction is then aborted, and still open
 */
export function copyIn(client: Client, statements: string, rows: Buffer): Promise<void> {
  return submit(client, (connection) => {
    connection.query(statements);
    connection.sendCopyFromChunk(rows);
    connection.endCopyFrom();
  });
}

/**
 * Reads the rows of `COPY … TO STDOUT`.
 *
 * @param onChunk gets the rows' bytes as they come; a row is never cut
 * @throws what Postgres answered
 */
export function copyOut(client: Client, statement: string, onChunk: (chunk: Buffer) => void): Promise<void> {
  return submit(client, (connection) => connection.query(statement), onChunk);
}

function submit(
  client: Client,
  send: (connection: CopyConnection) => void,
  onChunk?: (chunk: Buffer) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    // What pg's own queries have; see pg/lib/query.js. After an error pg calls no other method of it.
    const query = {
      submit: (connection: Connection) => send(connection as unknown as CopyConnection),
      handleRowDescription() {},
      handleDataRow() {},
      handleCopyInResponse() {},
      handleCopyData: ({ chunk }: { chunk: Buffer }) => onChunk?.(chunk),
      handleCommandComplete() {},
      handleError: reject,
      handleReadyForQuery: () => resolve(),
    };
    client.query(query as unknown as Submittable);
  });
}
