import { describeFaults } from './describe-faults.ts';
import { poisonOneIn500 } from './faults/poison.ts';
import { postgresCrash } from './faults/postgres-crash.ts';
import { redisKill } from './faults/redis-kill.ts';
import { redisReplyCut } from './faults/redis-reply-cut.ts';
import { writerKill } from './faults/writer-kill.ts';

// One fault of each kind: a daemon, each server, the network, the events. `pnpm test:long faults` runs all.
describeFaults([writerKill, redisKill, redisReplyCut, postgresCrash, poisonOneIn500]);
