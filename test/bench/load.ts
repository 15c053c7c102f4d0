import { request } from 'node:http';
import { formatRequest, RawConnection, type Target } from './raw-connection.ts';
import { quantileOf } from './statistics.ts';

/** What the generator is told to do; plain data, since it crosses a process boundary. */
export type LoadOrder =
  | {
      readonly kind: 'submit';
      readonly target: Target;
      readonly clients: number;
      readonly count: number;
      readonly spec: string;
    }
  | { readonly kind: 'batch'; readonly target: Target; readonly count: number; readonly spec: string }
  | { readonly kind: 'roundTrip'; readonly target: Target; readonly count: number; readonly spec: string };

export interface LoadResult {
  readonly count: number;
  readonly seconds: number;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

export function runLoad(order: LoadOrder): Promise<LoadResult> {
  switch (order.kind) {
    case 'submit':
      return submitEach(order.target, order.clients, order.count, order.spec);
    case 'batch':
      return submitBatch(order.target, order.count, order.spec);
    case 'roundTrip':
      return roundTrips(order.target, order.count, order.spec);
  }
}

/** Each client has one connection and sends its next job when the one before is acknowledged. */
async function submitEach(target: Target, clients: number, count: number, spec: string): Promise<LoadResult> {
  const connections = await Promise.all(
    Array.from({ length: clients }, () => RawConnection.open(target.host, target.port)),
  );
  const text = formatRequest(target, 'POST', '/v1/jobs', spec);
  const latencies: number[] = [];
  let left = count;
  const began = performance.now();
  await Promise.all(
    connections.map(async (connection) => {
      for (; left > 0;) {
        left -= 1;
        const sentAt = performance.now();
        expectCreated(await connection.send(text));
        latencies.push(performance.now() - sentAt);
      }
    }),
  );
  return resultOf(count, performance.now() - began, latencies, connections);
}

/** From the submission until the answer that it succeeded, one job after another. */
async function roundTrips(target: Target, count: number, spec: string): Promise<LoadResult> {
  const connection = await RawConnection.open(target.host, target.port);
  const text = formatRequest(target, 'POST', '/v1/jobs', spec);
  const latencies: number[] = [];
  const began = performance.now();
  for (let index = 0; index < count; index += 1) {
    const sentAt = performance.now();
    const { id } = JSON.parse(expectCreated(await connection.send(text))) as { readonly id: string };
    const { body } = await connection.send(formatRequest(target, 'GET', `/v1/jobs/${id}/wait?timeout=60s`));
    if (!body.includes('"state":"succeeded"')) throw new Error(`did not succeed: ${body}`);
    latencies.push(performance.now() - sentAt);
  }
  return resultOf(count, performance.now() - began, latencies, [connection]);
}

async function submitBatch(target: Target, count: number, spec: string): Promise<LoadResult> {
  const body = Buffer.from(`${spec}\n`.repeat(count));
  const began = performance.now();
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const call = request(
    {
      host: target.host,
      port: target.port,
      path: '/v1/jobs/batch',
      method: 'POST',
      headers: {
        authorization: `Bearer ${target.token}`,
        'content-type': 'application/x-ndjson',
        'content-length': body.length,
      },
    },
    (response) => {
      let acknowledged = 0;
      let refused = false;
      response.on('data', (chunk: Buffer) => {
        for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, at + 1)) acknowledged += 1;
        refused ||= chunk.includes('"error"');
      });
      response.on('error', reject);
      response.on('end', () => (refused ? reject(new Error('a line was refused')) : resolve(acknowledged)));
    },
  );
  call.on('error', reject);
  call.end(body);
  const acknowledged = await promise;
  if (acknowledged !== count) throw new Error(`${acknowledged} of ${count} lines were acknowledged`);
  return resultOf(count, performance.now() - began, [], []);
}

function expectCreated({ status, body }: { readonly status: number; readonly body: string }): string {
  if (status !== 201) throw new Error(`status ${status}: ${body}`);
  return body;
}

function resultOf(
  count: number,
  ms: number,
  latencies: readonly number[],
  connections: readonly RawConnection[],
): LoadResult {
  for (const connection of connections) connection.close();
  return {
    count,
    seconds: ms / 1000,
    perSecond: (count / ms) * 1000,
    p50Ms: quantileOf(latencies, 0.5),
    p99Ms: quantileOf(latencies, 0.99),
  };
}
