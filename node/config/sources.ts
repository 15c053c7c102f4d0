import { readFile } from 'node:fs/promises';
import type { z } from 'zod';
import { Rejection } from '../../src/errors.ts';
import {
  FLAG_OF,
  type RawSettings,
  SETTING_NAMES,
  type SettingName,
  type Settings,
  settingsSchema,
  variableOf,
} from './settings.ts';

const CONFIG_MAX_BYTES = 1024 * 1024;
const TOKEN_FILE_MAX_BYTES = 16 * 1024;

/** As the command line parsed them: values are text, lists of text, or true. */
export function checkFlags(flags: RawSettings): Promise<Settings> {
  return checkSource(flags, (name) => FLAG_OF[name]);
}

/** Variables that are empty count as not set. Lists are separated by commas, QUORATE_NO_RUNNER turns the runner off. */
export function checkEnvironment(env: Readonly<Record<string, string | undefined>>): Promise<Settings> {
  const raw: Partial<Record<SettingName, unknown>> = {};
  for (const name of SETTING_NAMES) {
    const text = env[variableOf(name)];
    if (text !== undefined && text !== '') raw[name] = fromText(name, text);
  }
  return checkSource(raw, variableOf);
}

/** @throws Rejection `invalidRequest` when it cannot be read, is no JSON, or holds anything unknown or wrong */
export async function checkFile(path: string): Promise<Settings> {
  const text = await readSmallFile(path, CONFIG_MAX_BYTES, 'the configuration file');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const why = error instanceof Error ? error.message : 'malformed';
    throw new Rejection('invalidRequest', `the configuration file ${path} is not JSON: ${why}`, { field: '--config' });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new Rejection('invalidRequest', `the configuration file ${path} must hold one object`, { field: '--config' });
  }
  return checkSource(value, (name) => `${name} in ${path}`);
}

async function checkSource(raw: object, fieldOf: (name: SettingName) => string): Promise<Settings> {
  const result = settingsSchema.safeParse(await withTokensOfFiles(raw));
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  if (issue === undefined) throw new Rejection('invalidRequest', 'the configuration is not valid');
  const field = fieldOfIssue(issue, fieldOf);
  throw new Rejection('invalidRequest', `${field} ${messageOf(issue)}`, { field });
}

function fieldOfIssue(issue: z.core.$ZodIssue, fieldOf: (name: SettingName) => string): string {
  if (issue.code === 'unrecognized_keys') return fieldOf((issue.keys[0] ?? '') as SettingName);
  const [name, ...rest] = issue.path;
  const inner = rest.length === 0 || typeof rest[0] === 'number' ? '' : ` ${rest.map(String).join('.')}`;
  return `${fieldOf(String(name) as SettingName)}${inner}`;
}

function messageOf(issue: z.core.$ZodIssue): string {
  if (issue.code === 'unrecognized_keys') return 'is no setting';
  return issue.message.startsWith('must ') ? issue.message : `is not valid: ${issue.message}`;
}

function fromText(name: SettingName, text: string): unknown {
  switch (name) {
    case 'join':
    case 'advertise':
    case 'allowHosts':
      return splitList(text);
    case 'labels':
      return splitLabels(splitList(text), variableOf(name));
    case 'runner':
      return NEGATED[text] ?? text;
    default:
      return text;
  }
}

/** The variable says the opposite of the setting. */
const NEGATED: Readonly<Record<string, string>> = { 1: '0', true: '0', yes: '0', 0: '1', false: '1', no: '1' };

/** @throws Rejection `invalidRequest` */
export function splitLabels(pairs: readonly string[], field: string): Record<string, string> {
  const labels: Record<string, string> = {};
  for (const pair of pairs) {
    const at = pair.indexOf('=');
    if (at <= 0) throw new Rejection('invalidRequest', `${field} must be NAME=VALUE, not ${pair}`, { field });
    labels[pair.slice(0, at)] = pair.slice(at + 1);
  }
  return labels;
}

function splitList(text: string): readonly string[] {
  return text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
}

/** `@FILE` stands for what the file holds: an argument can be read by everyone on the machine, a file need not. */
async function withTokensOfFiles(raw: object): Promise<object> {
  if (!('join' in raw) || !Array.isArray(raw.join)) return raw;
  const join = await Promise.all(raw.join.map((item: unknown) => tokenOf(item)));
  return { ...raw, join };
}

async function tokenOf(item: unknown): Promise<unknown> {
  return typeof item === 'string' ? await readJoinToken(item) : item;
}

/** @throws Rejection `invalidRequest`, `tooLarge` when the file cannot be read */
export async function readJoinToken(item: string): Promise<string> {
  if (!item.startsWith('@')) return item;
  return (await readSmallFile(item.slice(1), TOKEN_FILE_MAX_BYTES, 'the file of the join token')).trim();
}

async function readSmallFile(path: string, maxBytes: number, what: string): Promise<string> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (error) {
    const why = error instanceof Error && 'code' in error && error.code === 'ENOENT' ? 'is not there' : String(error);
    throw new Rejection('invalidRequest', `${what} ${path} ${why}`);
  }
  if (bytes.length > maxBytes) throw new Rejection('tooLarge', `${what} ${path} is larger than ${maxBytes} bytes`);
  return bytes.toString('utf8');
}
