/**
 * A function that stores events of which the table refuses some, in one round trip: `isolatePoison` calls it. It stores what
 * can be stored, and says of each other event why not.
 */
export const name = '0012-isolate-events';
export const compatibleSince = '0.2.0';

/** Columns of `events` that come from the writer, and their types. The function takes an array of texts for each. */
const COLUMNS: readonly (readonly [name: string, type: string])[] = [
  ['tenant', 'text'],
  ['event_id', 'uuid'],
  ['event_type', 'text'],
  ['occurred_at', 'timestamptz'],
  ['received_at', 'timestamptz'],
  ['actor', 'text'],
  ['session_id', 'text'],
  ['correlation_id', 'text'],
  ['resource', 'text'],
  ['client_ip', 'inet'],
  ['trace_id', 'text'],
  ['source', 'text'],
  ['flags', 'text[]'],
  ['payload', 'jsonb'],
];
const names = COLUMNS.map(([column]) => column).join(', ');
/** The parameters: `all_tenant`, `all_event_id` … */
const parameters = COLUMNS.map(([column]) => `all_${column}`);

/** Types whose input functions refuse some texts, in the order in which the values of an event are asked about. */
const PARSED = ['event_id', 'occurred_at', 'received_at', 'client_ip', 'payload'];
const parsed = COLUMNS.filter(([column]) => PARSED.includes(column)).toSorted(
  ([one], [other]) => PARSED.indexOf(one) - PARSED.indexOf(other),
);

/**
 * Rows that are inserted by one statement. A block that fails is tried again one by one, so a larger one makes a bad event
 * dearer, and a smaller one the others: 500 events of which one is bad take 1.3 times as long as good ones.
 */
const BLOCK = 50;

const isRefused = `(state LIKE '22%' OR state LIKE '23%' OR state IN ('54000', '54001', 'P0001'))
           -- A segment without a partition refuses all events: it is the operator's to repair.
           AND NOT (state = '23514' AND refused_by = '' AND relation = 'events')`;

export const statements: readonly string[] = [
  `CREATE FUNCTION sluice_isolate_events(hot integer, ${parameters.map((parameter) => `${parameter} text[]`).join(', ')})
   RETURNS TABLE (place integer, outcome text, state text, message text, detail text, refused_by text, relation text)
   LANGUAGE plpgsql SET search_path FROM CURRENT SET plan_cache_mode = force_generic_plan AS $$
   DECLARE
     places integer[];
     -- What became of each row, by the order of the ids: stored, duplicate, refused, or skipped by a trigger.
     outcomes text[];
     total integer;
     inserted integer;
     -- Rows first to last are stored or undone together. Up to the row one_by_one_to each is inserted by itself, so that
     -- the row at fault is known.
     first integer := 1;
     last integer;
     one_by_one_to integer := 0;
     tried integer;
     -- Column, type and value.
     invalid text[];
   BEGIN
     -- In the order of the ids: concurrent batches with the same ids wait for one another, never in a circle. What is
     -- undone and done again has higher ids than all that is held meanwhile.
     -- An id that is stored is a duplicate. Another transaction may still store it in the hot segment: see below.
     SELECT array_agg(r.place ORDER BY r.id, r.tenant COLLATE "C"), array_agg(r.known ORDER BY r.id, r.tenant COLLATE "C")
     INTO places, outcomes
     FROM (
       SELECT i.*, (SELECT 'duplicate' FROM events AS e
                    WHERE e.event_id = i.id AND e.tenant = i.tenant AND e.segment <= hot LIMIT 1) AS known
       FROM (SELECT t.place, t.tenant, CASE WHEN pg_input_is_valid(t.event_id, 'uuid') THEN t.event_id::uuid END AS id
             FROM unnest(all_tenant, all_event_id) WITH ORDINALITY AS t (tenant, event_id, place) OFFSET 0) AS i
     ) AS r;
     total := coalesce(cardinality(places), 0);

     WHILE first <= total LOOP
       last := coalesce(last, CASE WHEN first <= one_by_one_to THEN one_by_one_to ELSE least(total, first + ${BLOCK} - 1) END);
       BEGIN
         IF first > one_by_one_to THEN
           INSERT INTO events (segment, ${names})
           SELECT hot, ${COLUMNS.map(([column, type]) => cast(`all_${column}[r.place]`, type)).join(', ')}
           FROM unnest(places[first:last], outcomes[first:last]) AS r (place, outcome)
           WHERE r.outcome IS NULL;
           GET DIAGNOSTICS inserted = ROW_COUNT;
           IF inserted <> cardinality(array_positions(outcomes[first:last], NULL)) THEN
             RAISE EXCEPTION 'a trigger skips rows' USING ERRCODE = 'SL003';
           END IF;
           FOR n IN first..last LOOP
             outcomes[n] := coalesce(outcomes[n], 'stored');
           END LOOP;
         ELSE
           FOR n IN first..last LOOP
             CONTINUE WHEN outcomes[n] IS NOT NULL;
             tried := n;
             place := places[n];
             INSERT INTO events (segment, ${names})
             VALUES (hot, ${COLUMNS.map(([column, type]) => cast(`all_${column}[place]`, type)).join(', ')});
             outcomes[n] := CASE WHEN FOUND THEN 'stored' ELSE 'skipped' END;
           END LOOP;
         END IF;
         first := last + 1;
         last := NULL;
       EXCEPTION WHEN OTHERS THEN
         GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL,
                                 refused_by = CONSTRAINT_NAME, relation = TABLE_NAME;
         IF first > one_by_one_to AND (state = 'SL003' OR ${isRefused}) THEN
           one_by_one_to := last;
           CONTINUE;
         END IF;
         IF NOT (${isRefused}) THEN
           RAISE;
         END IF;
         FOR n IN first..tried - 1 LOOP
           IF outcomes[n] IN ('stored', 'skipped') THEN
             outcomes[n] := NULL;
           END IF;
         END LOOP;
         IF state = '23505' AND refused_by = 'events_s' || hot || '_id' THEN
           outcomes[tried] := 'duplicate';
         ELSE
           -- Which value it is, where the input function of a type refuses one.
           IF state LIKE '22%' THEN
             invalid := CASE ${parsed.map(([column, type]) => `WHEN NOT pg_input_is_valid(all_${column}[place], '${type}') THEN '{${column},${type}}'::text[] || all_${column}[place]`).join(' ')} END;
             IF invalid IS NOT NULL THEN
               SELECT e.sql_error_code, invalid[1] || ': ' || e.message, e.detail INTO state, message, detail
               FROM pg_input_error_info(invalid[3], invalid[2]) AS e;
             END IF;
           END IF;
           outcomes[tried] := 'refused';
           outcome := 'refused';
           detail := nullif(detail, '');
           refused_by := nullif(refused_by, '');
           relation := nullif(relation, '');
           RETURN NEXT;
         END IF;
         -- What this try had inserted is inserted again, up to the row at fault.
         IF tried > first THEN
           last := tried - 1;
         ELSE
           first := tried + 1;
           last := NULL;
         END IF;
       END;
     END LOOP;

     state := NULL;
     message := NULL;
     detail := NULL;
     refused_by := NULL;
     relation := NULL;
     FOR n IN 1..total LOOP
       CONTINUE WHEN outcomes[n] IN ('stored', 'refused');
       place := places[n];
       outcome := outcomes[n];
       RETURN NEXT;
     END LOOP;
   END $$`,
];

function cast(expression: string, type: string): string {
  return type === 'text' ? expression : `${expression}::${type}`;
}
