import { Rejection } from './errors.ts';

/** Durations and sizes as people write them: `1h30m`, `250ms`, `512MiB`. */

const DURATION_UNITS_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};
const DURATION = /^(?:\d+(?:\.\d+)?(?:ms|[smhd]))+$/;
const DURATION_PART = /(\d+(?:\.\d+)?)(ms|[smhd])/g;

const SIZE_UNITS: Readonly<Record<string, number>> = {
  B: 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
};
const SIZE = /^(\d+(?:\.\d+)?) ?([KMGT]i?B|B)?$/;

/** Longer than any text that means something; keeps hostile ones from being scanned. */
const MAX_TEXT_LENGTH = 64;

/** @returns milliseconds, rounded. @throws Rejection `invalidRequest` */
export function parseDuration(text: string): number {
  if (text.length > MAX_TEXT_LENGTH || !DURATION.test(text)) {
    throw new Rejection('invalidRequest', `${quoted(text)} is not a duration such as "90s", "10m" or "1h30m"`);
  }
  let ms = 0;
  for (const [, amount, unit] of text.matchAll(DURATION_PART)) {
    ms += Number(amount) * (DURATION_UNITS_MS[unit ?? ''] ?? 0);
  }
  return withinSafeRange(Math.round(ms), text);
}

/** The shortest text of whole units that `parseDuration` reads as the same number. */
export function formatDuration(ms: number): string {
  let rest = Math.round(ms);
  let text = '';
  for (const unit of ['d', 'h', 'm', 's', 'ms']) {
    const unitMs = DURATION_UNITS_MS[unit] ?? 1;
    const count = Math.floor(rest / unitMs);
    rest -= count * unitMs;
    if (count > 0) text += `${count}${unit}`;
  }
  return text === '' ? '0s' : text;
}

/**
 * @param size bytes as a number, or text such as `512MiB`, `2GB` or `1024`
 * @returns bytes. @throws Rejection `invalidRequest`
 */
export function parseSize(size: string | number): number {
  if (typeof size === 'number') return withinSafeRange(size, String(size));
  const match = size.length > MAX_TEXT_LENGTH ? null : SIZE.exec(size);
  if (match === null) throw new Rejection('invalidRequest', `${quoted(size)} is not a size such as "512MiB" or "2GB"`);
  const [, amount, unit] = match;
  return withinSafeRange(Math.floor(Number(amount) * (SIZE_UNITS[unit ?? 'B'] ?? 1)), size);
}

function withinSafeRange(value: number, text: string): number {
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new Rejection('invalidRequest', `${quoted(text)} is out of range`);
  }
  return value;
}

function quoted(text: string): string {
  return JSON.stringify(text.length > MAX_TEXT_LENGTH ? `${text.slice(0, MAX_TEXT_LENGTH)}…` : text);
}
