/** Optional properties with a column of their own. */
export const TEXT_FIELDS = ['eventId', 'userName', 'sessionId', 'correlationId', 'workbookName'] as const;
