import { type TObject, Type } from 'typebox';
import { API_ERRORS } from '@sluice/shared/errors/api-errors';

/** The one shape of every error answer. */
export function errorResponses(...statuses: number[]): Record<number, TObject> {
  return Object.fromEntries(
    statuses.map((status) => {
      const codes = Object.entries(API_ERRORS).filter(([, error]) => error.status === status);
      const shape = Type.Object(
        { error: Type.Object({ code: Type.String(), message: Type.String(), request_id: Type.String() }) },
        {
          description: codes.map(([code, error]) => `\`${code}\`: ${error.meaning}`).join(' '),
          examples: codes.map(([code, error]) => ({ error: { code, message: error.meaning, request_id: 'c9a1…' } })),
        },
      );
      return [status, shape];
    }),
  );
}

/** For OpenAPI: a key in either header, or none where ingest runs open. */
export const KEY_OR_OPEN: Record<string, string[]>[] = [{ apiKey: [] }, { bearer: [] }, {}];
