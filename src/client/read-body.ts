import { ProtocolError } from './client-error.ts';

/** @throws ProtocolError when it is no JSON */
export async function readJson<Value>(response: Response): Promise<Value> {
  const text = await response.text();
  try {
    return JSON.parse(text) as Value;
  } catch (error) {
    throw new ProtocolError(`${response.url} answered with something that is no JSON`, { cause: error });
  }
}

/** Reads and drops an answer without content, so that its connection can be used again. */
export async function readNothing(response: Response): Promise<void> {
  await response.arrayBuffer();
}

/** The bytes as they come. Leaving the loop ends the request. */
export async function* readChunks(response: Response): AsyncGenerator<Uint8Array, void> {
  if (response.body === null) return;
  const reader = response.body.getReader();
  let ended = false;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) {
        ended = true;
        return;
      }
      yield value;
    }
  } finally {
    if (!ended) await reader.cancel().catch(() => undefined);
  }
}
