import { QuorateClient } from '../../src/client/client.ts';
import type { CommandContext } from './command-context.ts';
import type { ConnectionOptions } from './options.ts';
import { UsageError } from './usage-error.ts';

const DEFAULT_URL = 'http://127.0.0.1:8750';

/** @throws UsageError when an address or the token cannot be one */
export function connect({ env }: CommandContext, options: ConnectionOptions): QuorateClient {
  const urls = (options.url ?? (env['QUORATE_URL'] ?? '').split(','))
    .map((url) => url.trim())
    .filter((url) => url !== '');
  const token = options.token ?? env['QUORATE_TOKEN'] ?? '';
  if (!/^[\x21-\x7e]*$/.test(token)) throw new UsageError('the token holds characters that no token has');
  try {
    return new QuorateClient({ urls: urls.length === 0 ? [DEFAULT_URL] : urls, token: token === '' ? null : token });
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new UsageError(`not an address of a node: ${urls.join(', ')}`, 'write it as http://127.0.0.1:8750');
  }
}
