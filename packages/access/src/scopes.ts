/**
 * What a key may do: send events; read; fix, replay and export what is in Sluice; change who may do what. Scopes are
 * independent: none includes another.
 */
export const SCOPES = ['ingest', 'read', 'operate', 'admin'] as const;

export type Scope = (typeof SCOPES)[number];
