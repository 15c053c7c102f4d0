import type { NodeId } from '../ids.ts';
import type { BlobName } from './digest.ts';

/**
 * Which members hold a blob: those that score highest for it (rendezvous hashing). Each node works it out by itself, so
 * the score is part of the protocol between members: all must agree on it. A member that comes takes from each of the
 * others its share and moves nothing else; what one that goes held is spread over those that stay.
 */

/** All of them, those first that are to hold it. @param members without repetition, in any order */
export function rankHolders(name: BlobName, members: readonly NodeId[]): readonly NodeId[] {
  const words = wordsOf(name.hash);
  return members
    .map((id) => ({ id, score: score(words, id) }))
    .sort((a, b) => b.score - a.score || (a.id < b.id ? -1 : 1))
    .map(({ id }) => id);
}

/** At most `copies` members; fewer when there are not so many. */
export function wantedHolders(name: BlobName, members: readonly NodeId[], copies: number): readonly NodeId[] {
  return rankHolders(name, members).slice(0, copies);
}

interface Words {
  readonly high: number;
  readonly low: number;
}

/** The first 8 bytes of a hash are as random as all of it. */
function wordsOf(hash: string): Words {
  return { high: Number.parseInt(hash.slice(0, 8), 16), low: Number.parseInt(hash.slice(8, 16), 16) };
}

const seeds = { high: 0x811c9dc5, low: 0x9747b28c } as const;

/** 53 bits, from both halves of the hash and of what is made of the id. */
function score({ high, low }: Words, id: NodeId): number {
  const first = mix(high ^ fold(id, seeds.high));
  const second = mix(low ^ fold(id, seeds.low) ^ first);
  return first * 2 ** 21 + (second >>> 11);
}

/** FNV-1a over the characters, 32 bits. */
function fold(text: string, seed: number): number {
  let hash = seed;
  for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return hash;
}

/** The finalizer of MurmurHash3 for 32 bits: every bit of the input reaches every bit of the output. */
function mix(word: number): number {
  let mixed = word;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
