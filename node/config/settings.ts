import { z } from 'zod';
import { LIMITS } from '../../src/limits.ts';
import { parseDuration, parseSize } from '../../src/units.ts';
import { parseAddress } from './address.ts';
import { type Address, LOG_LEVELS } from './config.ts';

/**
 * What a user may set for a node, by the names of the configuration file. Flags and environment carry the same as text.
 * Each source is checked by itself, so that an error tells where the wrong value stands.
 */

const JOIN_TOKEN_PREFIX = 'qj1_';

function parsedBy<Value>(parse: (text: string) => Value, what: string): z.ZodType<Value> {
  return z.union([z.string(), z.number()], `must be ${what}`).transform((input, context) => {
    try {
      return parse(String(input));
    } catch {
      context.addIssue(`must be ${what}`);
      return z.NEVER;
    }
  });
}

function orThrow<Value>(value: Value | null): Value {
  if (value === null) throw new TypeError('cannot be parsed');
  return value;
}

const address: z.ZodType<Address> = parsedBy(
  (text) => orThrow(parseAddress(text)),
  'HOST:PORT with a port up to 65535, as 127.0.0.1:8750',
);

const peer = z
  .string()
  .refine(
    (text) => text.startsWith(JOIN_TOKEN_PREFIX) || text.startsWith('/') || parseAddress(text) !== null,
    `must be a join token (${JOIN_TOKEN_PREFIX}…), @FILE with one, or HOST:PORT`,
  );
const advertised = z
  .string()
  .refine((text) => text.startsWith('/') || (parseAddress(text)?.port ?? 0) > 0, 'must be HOST:PORT or a multiaddr');
const hostName = z.string().regex(/^[^\s/]+$/, 'must be the name of a host, or NAME:PORT');

const cpu = z.coerce.number<string | number>('must be a number of processors, as 4 or 0.5').positive().max(100_000);
const size = parsedBy((text) => parseSize(text), 'a size, as 512MiB or 8GiB').pipe(z.number().positive());
const duration = parsedBy((text) => parseDuration(text), 'a duration, as 300ms or 10s').pipe(z.number().positive());

const COPIES = `must be a number of copies, from 1 to ${LIMITS.blobCopies}`;

const LABEL_NAME = /^[A-Za-z0-9][A-Za-z0-9._/-]{0,127}$/;
const labels = z
  .record(z.string(), z.string().max(LIMITS.nameLength))
  .refine((all) => Object.keys(all).every((name) => LABEL_NAME.test(name)), 'must be named by letters, digits and ._/-')
  .refine((all) => Object.keys(all).length <= LIMITS.labels, `must be at most ${LIMITS.labels} labels`);

const yesOrNo = z.union([z.boolean(), z.enum(['1', 'true', 'yes', '0', 'false', 'no'])], 'must be true or false');
const flag = yesOrNo.transform((value) => value === true || value === '1' || value === 'true' || value === 'yes');

export const settingsSchema = z
  .strictObject({
    data: z.string().min(1),
    http: address,
    p2p: address,
    grpc: address,
    join: z.array(peer).max(64),
    bootstrap: flag,
    /** Whether this node runs jobs. */
    runner: flag,
    cpu,
    memory: size,
    labels,
    advertise: z.array(advertised).max(16),
    allowHosts: z.array(hostName).max(64),
    killJobs: flag,
    bulk: address,
    blobSpace: size,
    blobCopies: z.coerce.number<string | number>(COPIES).int(COPIES).min(1, COPIES).max(LIMITS.blobCopies, COPIES),
    logLevel: z.enum(LOG_LEVELS, `must be one of ${LOG_LEVELS.join(', ')}`),
    tick: duration,
    election: duration,
    heartbeat: duration,
    runnerLease: duration,
    runnerLostAfter: duration,
  })
  .partial();

export type Settings = z.output<typeof settingsSchema>;
export type SettingName = keyof Settings;
/** Of one source, not checked yet. */
export type RawSettings = Readonly<Partial<Record<SettingName, unknown>>>;

/** Every setting, with its flag. The variable of the environment follows from the flag: `--runner-lease`, QUORATE_RUNNER_LEASE. */
export const FLAG_OF: Readonly<Record<SettingName, string>> = {
  data: '--data',
  http: '--http',
  p2p: '--p2p',
  grpc: '--grpc',
  join: '--join',
  bootstrap: '--bootstrap',
  runner: '--no-runner',
  cpu: '--cpu',
  memory: '--memory',
  labels: '--label',
  advertise: '--advertise',
  allowHosts: '--allow-host',
  killJobs: '--kill-jobs',
  bulk: '--bulk',
  blobSpace: '--blob-space',
  blobCopies: '--blob-copies',
  logLevel: '--log-level',
  tick: '--tick',
  election: '--election',
  heartbeat: '--heartbeat',
  runnerLease: '--runner-lease',
  runnerLostAfter: '--runner-lost-after',
};

export const SETTING_NAMES = Object.keys(FLAG_OF) as readonly SettingName[];

export function variableOf(name: SettingName): string {
  return `QUORATE_${FLAG_OF[name].slice(2).replaceAll('-', '_').toUpperCase()}`;
}
