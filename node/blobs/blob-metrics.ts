import { Counter, Gauge, type Registry } from 'prom-client';
import type { BlobFigures } from './port.ts';

/** @param blobs whose thread is asked once a scrape */
export function registerBlobMetrics(registry: Registry, blobs: { figures(): Promise<BlobFigures> }): void {
  const registers = [registry];
  let asked: Promise<BlobFigures> | null = null;
  const figures = (): Promise<BlobFigures> =>
    (asked ??= blobs.figures().finally(() => {
      asked = null;
    }));
  const gauge = (name: string, help: string, read: (told: BlobFigures) => number): void => {
    new Gauge({
      name,
      help,
      registers,
      async collect() {
        this.set(read(await figures()));
      },
    });
  };
  const counter = (name: string, help: string, read: (told: BlobFigures) => number): void => {
    new Counter({
      name,
      help,
      registers,
      async collect() {
        const value = read(await figures());
        this.reset();
        this.inc(value);
      },
    });
  };
  gauge('quorate_blobs', 'Blobs on the disk of this node.', (told) => told.blobs);
  gauge('quorate_blob_bytes', 'Bytes of the blobs on the disk of this node.', (told) => told.bytes);
  gauge('quorate_blob_space_bytes', 'What the blobs of this node may take.', (told) => told.capacityBytes);
  counter('quorate_blobs_evicted_total', 'Blobs that went to make room.', (told) => told.evicted);
  counter('quorate_blobs_damaged_total', 'Blobs whose bytes were found to have gone bad.', (told) => told.damaged);
  counter(
    'quorate_blob_scrubbed_bytes_total',
    'Bytes read to see whether they are still right.',
    (told) => told.scrubbedBytes,
  );
  counter('quorate_blob_copies_made_total', 'Copies made at other members for puts.', (told) => told.copied);
  counter('quorate_blob_repairs_total', 'Copies made at other members since one was missing.', (told) => told.repaired);
  counter('quorate_blobs_mended_total', 'Blobs that were lost here and brought back.', (told) => told.mended);
  counter(
    'quorate_blobs_surplus_removed_total',
    'Copies that went since others hold them.',
    (told) => told.surplusRemoved,
  );
  gauge(
    'quorate_blob_copies_missing',
    'Blobs here of which a copy is missing elsewhere.',
    (told) => told.copiesMissing,
  );
  counter('quorate_blob_remote_reads_total', 'Reads of blobs that were not here.', (told) => told.readElsewhere);
  counter('quorate_blob_sent_bytes_total', 'Bytes sent to members on the network of blobs.', (told) => told.bytesSent);
  counter('quorate_blob_received_bytes_total', 'Bytes received of members there.', (told) => told.bytesReceived);
}
