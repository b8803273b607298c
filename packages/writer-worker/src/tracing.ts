import { startTracing } from '@sluice/daemon/telemetry/start-tracing';
import { limitMemory } from './start/limit-memory.ts';

// Before anything else: loading main.ts alone makes V8 give new objects 64 MiB.
limitMemory();
// For `node --import`, before main.ts: what is traced must be patched before it is loaded.
await startTracing('writer-worker');
