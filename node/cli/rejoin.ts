import { readJoinToken } from '../config/sources.ts';
import { prepareRejoin } from '../recovery/rejoin.ts';
import type { CommandContext } from './command-context.ts';
import { connect } from './connect.ts';
import { EXIT } from './exit-codes.ts';
import type { ConnectionOptions } from './options.ts';
import { dataDirOf } from './recover.ts';

export interface RejoinOptions extends ConnectionOptions {
  readonly data?: string;
  readonly join?: string;
}

export async function rejoin(context: CommandContext, _: readonly [], options: RejoinOptions): Promise<number> {
  const dataDir = dataDirOf(context, options);
  const token =
    options.join === undefined
      ? (await connect(context, options).tokens.createForJoining()).token
      : await readJoinToken(options.join);
  const { former, nodeId, aside } = await prepareRejoin(dataDir, token);
  if (options.json === true) {
    await context.stdout.json({ dataDir, former, nodeId, aside });
    return EXIT.done;
  }
  const removal =
    former === null
      ? 'Its old key cannot be read: remove the old id at another node, `quorate cluster remove OLD_ID`.'
      : `The id that it had, ${former}, is removed from the cluster then.`;
  await context.stdout.line(`Ready to join again as node ${nodeId}:  quorate up --data ${dataDir}

${removal}
What it had is in ${aside}; remove that when you are sure that nobody needs it.`);
  return EXIT.done;
}
