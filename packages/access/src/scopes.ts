/**
 * What a key may do: bring events; look; mend, replay and export what is in Sluice; change who may do what. None of
 * them brings another with it.
 */
export const SCOPES = ['ingest', 'read', 'operate', 'admin'] as const;

export type Scope = (typeof SCOPES)[number];
