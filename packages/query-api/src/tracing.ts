import { startTracing } from '@sluice/daemon/telemetry/start-tracing';

// For `node --import`, before main.ts: what is traced must be patched before it is loaded.
await startTracing('query-api');
