import { z } from 'zod';
import { Rejection } from '../errors.ts';
import { isGroupId, isJobId } from '../ids.ts';

/** What fields of a job spec are made of. */

/** Text of a grammar of its own, checked by the function that reads it: what that says is told. */
export function readBy<Value>(read: (text: string) => Value, fault: (value: Value) => string | null = () => null) {
  return z.string().superRefine((written, context) => {
    try {
      const message = fault(read(written));
      if (message !== null) context.addIssue({ code: 'custom', message });
    } catch (error) {
      if (!(error instanceof Rejection)) throw error;
      context.addIssue({ code: 'custom', message: error.message });
    }
  });
}

/** What goes to the system as bytes: half a surrogate pair has none, and would become another character on the way. */
export const wellFormed = z.string().refine((value) => value.isWellFormed(), 'must not contain half a surrogate pair');
export const text = wellFormed.refine((value) => !value.includes('\0'), 'must not contain NUL');

/** Names that become part of keys and labels. */
export const identifier = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._/-]{0,127}$/, 'must be a name of letters, digits and ._/-');

export const jobReference = z.string().refine(isJobId, 'must be the id of a job: a UUID in lower case');
export const groupReference = z.string().refine(isGroupId, 'must be the id of a group: a UUID in lower case');
