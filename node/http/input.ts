import type { z } from 'zod';
import { Rejection } from '../../src/errors.ts';
import { jsonErrorPosition } from './json-position.ts';

/** @throws Rejection `invalidRequest` that tells where the text stops being JSON */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    const at = jsonErrorPosition(text) ?? text.length;
    const before = text.slice(0, at);
    const line = before.split('\n').length;
    const column = at - before.lastIndexOf('\n');
    const what = at === text.length ? 'ends too early' : 'is malformed';
    throw new Rejection('invalidRequest', `the JSON ${what} at position ${at} (line ${line}, column ${column})`);
  }
}

/**
 * Checks input from outside against a schema.
 * @throws Rejection `invalidRequest` or `unknownField` with the field at fault; only the first fault is told
 */
export function checkInput<Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  if (issue === undefined) throw new Rejection('invalidRequest', 'the request is not valid');
  const path = fieldPath(issue.path);
  if (issue.code === 'unrecognized_keys') {
    const field = fieldPath([...issue.path, issue.keys[0] ?? '']);
    throw new Rejection('unknownField', `there is no field ${field}`, { field });
  }
  const message = path === '' ? issue.message : `${path}: ${issue.message}`;
  throw new Rejection('invalidRequest', message, path === '' ? {} : { field: path });
}

function fieldPath(path: readonly PropertyKey[]): string {
  let text = '';
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`;
    else text += text === '' ? String(part) : `.${String(part)}`;
  }
  return text;
}
