import { changeSchema } from './change-schema.ts';
import type { FaultRig } from './fault-rig.ts';
import { POISON_TYPE } from './load-events.ts';
import { waitUntil } from './wait-until.ts';

/** Makes the table refuse one event type with a data exception, which screening cannot find. */
export async function refusePoison(rig: FaultRig): Promise<void> {
  await rig.sql(`CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF NEW.event_type = '${POISON_TYPE}' THEN
        RAISE EXCEPTION 'poisoned' USING ERRCODE = '22023', DETAIL = 'made to fail';
      END IF;
      RETURN NEW;
    END $$`);
  await changeSchema(rig, 'CREATE TRIGGER refuse BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION refuse()');
}

/** Waits until there are `count` dead letters. */
export async function untilDead(rig: FaultRig, count: number): Promise<void> {
  await waitUntil(`${count} are dead`, async () => {
    const [row] = await rig.sql<{ count: number }>('SELECT count(*)::int AS count FROM dead_letters');
    return row!.count >= count;
  });
}

/** Removes the trigger: what was poison can be stored. */
export async function acceptPoison(rig: FaultRig): Promise<void> {
  await changeSchema(rig, 'DROP TRIGGER refuse ON events');
}
