import { z } from 'zod';
import type { NodeId, Term } from '../../raft/types.ts';
import { readIfPresent, writeDurably } from './durable-file.ts';
import { seal, unseal } from './sealed.ts';

/**
 * A second witness of term and vote. LevelDB passes over damaged records of its write-ahead log in silence, and a vote
 * given twice in one term breaks consensus. It is written behind the database, so it never is ahead of a healthy one.
 */
export interface VoteFile {
  read(): Promise<Ballot | null>;
  write(ballot: Ballot): Promise<void>;
}

export interface Ballot {
  readonly term: Term;
  readonly vote: NodeId | null;
}

const ballotSchema = z.strictObject({
  term: z.int().nonnegative(),
  vote: z
    .string()
    .transform((id) => id as NodeId)
    .nullable(),
});

export function voteFileAt(path: string): VoteFile {
  return {
    async read() {
      const bytes = await readIfPresent(path);
      return bytes && unseal(bytes, ballotSchema, 'the vote file');
    },
    write: ({ term, vote }) => writeDurably(path, seal({ term, vote }), 0o600),
  };
}
