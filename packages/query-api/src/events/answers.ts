import { Type } from 'typebox';

/** For OpenAPI only: an event with the names and values of its client. */
export const wireEventSchema = Type.Object(
  {
    eventId: Type.Unknown({ description: 'The id that the client sent, else the one that Sluice assigned.' }),
    eventType: Type.Unknown({ description: 'A text; of a page, what it sent.' }),
    timestamp: Type.Unknown({ description: 'When it occurred, in UTC; of a page, what it sent.' }),
  },
  {
    additionalProperties: true,
    description: 'In the wire shape in which it came: `userName`, `workbookName` … or `visitorId`, `path` …',
  },
);
