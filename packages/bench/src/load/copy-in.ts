import type { Client, Connection, Submittable } from 'pg';

/** The parts of pg's connection that a COPY needs; its types omit them. */
interface CopyConnection {
  query(text: string): void;
  sync(): void;
  sendCopyFromChunk(chunk: Buffer): void;
  endCopyFrom(): void;
}

/** Sends one buffer of rows by `COPY … FROM STDIN`; resolves when Postgres has committed them. */
export function copyIn(client: Client, statement: string, rows: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    let failure: Error | undefined;
    // pg takes any object that handles the protocol's messages; its types know neither these methods nor COPY.
    const copy = {
      submit: (connection: Connection) => (connection as unknown as CopyConnection).query(statement),
      handleCopyInResponse(connection: CopyConnection) {
        connection.sendCopyFromChunk(rows);
        connection.endCopyFrom();
      },
      handleCommandComplete: () => {},
      handleError(error: Error) {
        failure = error;
        reject(error);
      },
      handleReadyForQuery: () => {
        if (failure === undefined) resolve();
      },
    };
    client.query(copy as unknown as Submittable);
  });
}
