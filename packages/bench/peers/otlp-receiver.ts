import { startOtlpReceiver } from '@sluice/local-stack/otlp-receiver';
import { runPeer } from './peer-process.ts';

/** Receives the traces of daemons in its own process, as a collector does. */
const receiver = await startOtlpReceiver();
runPeer(receiver.endpoint, () => receiver.stop());
