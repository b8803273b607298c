import { defineEntity, p } from '@mikro-orm/core';

/** How far a tenant's scheduled exports have come: a fence, see maintenance-worker/src/fence/. */
export const ExportPosition = defineEntity({
  name: 'ExportPosition',
  tableName: 'export_positions',
  properties: {
    tenant: p.text().primary(),
    tx: p.type('xid8').columnType('xid8').$type<string>(),
    systemIdentifier: p.text(),
    fencedAt: p.datetime(6),
    floor: p.datetime(6),
    /** Rows stored before this are below the position whatever their `tx` is: they come from an earlier cluster. */
    base: p.datetime(6).nullable(),
    /** The run that moved it here. */
    runId: p.uuid(),
  },
});
