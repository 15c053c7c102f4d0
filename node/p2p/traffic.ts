import { Counter, type Registry } from 'prom-client';

/** Payload bytes of all streams of this node, frame headers included, encryption and gossip left out. */
export class TrafficMeter {
  #bytesSent = 0;
  #bytesReceived = 0;
  #framesDropped = 0;

  constructor(registry: Registry | undefined) {
    if (registry === undefined) return;
    const registers = [registry];
    const counter = (name: string, help: string, read: () => number): void => {
      new Counter({
        name,
        help,
        registers,
        collect() {
          this.reset();
          this.inc(read());
        },
      });
    };
    counter('quorate_p2p_sent_bytes_total', 'Bytes of frames and chunks sent to peers.', () => this.#bytesSent);
    counter('quorate_p2p_received_bytes_total', 'Bytes of frames received from peers.', () => this.#bytesReceived);
    counter(
      'quorate_p2p_frames_dropped_total',
      'Raft frames not sent: no stream or a full buffer.',
      () => this.#framesDropped,
    );
  }

  get bytesSent(): number {
    return this.#bytesSent;
  }

  get bytesReceived(): number {
    return this.#bytesReceived;
  }

  get framesDropped(): number {
    return this.#framesDropped;
  }

  sent(bytes: number): void {
    this.#bytesSent += bytes;
  }

  received(bytes: number): void {
    this.#bytesReceived += bytes;
  }

  dropped(): void {
    this.#framesDropped += 1;
  }
}
