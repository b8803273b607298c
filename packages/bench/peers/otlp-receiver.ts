import { startOtlpReceiver } from '@sluice/local-stack/otlp-receiver';
import { runPeer } from './peer-process.ts';

/** Where daemons send their traces; a process of its own, as a collector is. */
const receiver = await startOtlpReceiver();
runPeer(receiver.endpoint, () => receiver.stop());
