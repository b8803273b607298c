import { Type } from 'typebox';

/** For OpenAPI only: an event with the names and values that its client gave it. */
export const wireEventSchema = Type.Object(
  {
    eventId: Type.Unknown({ description: 'The id that the client sent, else the one it was given.' }),
    eventType: Type.String(),
    timestamp: Type.String({ description: 'When it occurred; UTC, unless a page sent a time that had to be guessed.' }),
  },
  {
    additionalProperties: true,
    description: 'In the wire shape it came in: `userName`, `workbookName` … or `visitorId`, `path` …',
  },
);
