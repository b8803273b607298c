import { type TObject, Type } from 'typebox';
import { API_ERRORS, CODES_OF } from './api-errors.ts';

/** OpenAPI responses for these statuses: the one shape of every error, with the daemon's codes for each status. */
export function errorResponses(daemon: keyof typeof CODES_OF, ...statuses: number[]): Record<number, TObject> {
  return Object.fromEntries(
    statuses.map((status) => {
      const codes = CODES_OF[daemon].filter((code) => API_ERRORS[code].status === status);
      const shape = Type.Object(
        { error: Type.Object({ code: Type.String(), message: Type.String(), request_id: Type.String() }) },
        {
          description: codes.map((code) => `\`${code}\`: ${API_ERRORS[code].meaning}`).join(' '),
          examples: codes.map((code) => ({
            error: { code, message: API_ERRORS[code].meaning, request_id: 'c9a1…' },
          })),
        },
      );
      return [status, shape];
    }),
  );
}
