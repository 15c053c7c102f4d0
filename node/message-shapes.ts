import { z } from 'zod';
import { type Incarnation, isJobId, type NodeId } from '../src/ids.ts';

/** Far above what an id or an address takes. */
const TEXT_MAX = 256;
/** A node tells at most so many addresses of itself. */
const ADDRESSES_MAX = 64;

/** Parts that several messages between members have. */
export const text = z.string().min(1).max(TEXT_MAX);
export const nodeId = text.transform((id) => id as NodeId);
export const incarnation = text.transform((id) => id as Incarnation);
export const jobId = text.refine(isJobId);
/** Of the log: an index or a term; a count. */
export const count = z.int().nonnegative();
/** Members and their addresses. */
export const members = z.array(z.tuple([nodeId, z.array(text).max(ADDRESSES_MAX).readonly()]).readonly());
