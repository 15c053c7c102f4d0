const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const SIZE_UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;

/** As short as is of use: `850ms`, `12s`, `3m 5s`, `2h 10m`, `4d 2h`. */
export function formatDuration(ms: number): string {
  if (ms < SECOND) return `${Math.max(0, Math.round(ms))}ms`;
  if (ms < MINUTE) return `${trimZero(ms / SECOND)}s`;
  if (ms < HOUR) return inTwo(ms, MINUTE, 'm', SECOND, 's');
  if (ms < DAY) return inTwo(ms, HOUR, 'h', MINUTE, 'm');
  return inTwo(ms, DAY, 'd', HOUR, 'h');
}

export function formatSize(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < SIZE_UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${trimZero(value)}${SIZE_UNITS[unit] ?? 'B'}`;
}

export function formatCount(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

/** As a person would type it into a shell. */
export function formatCommand(command: readonly string[]): string {
  return command.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`)).join(' ');
}

function inTwo(ms: number, large: number, largeName: string, small: number, smallName: string): string {
  const rest = Math.floor((ms % large) / small);
  const whole = `${Math.floor(ms / large)}${largeName}`;
  return rest === 0 ? whole : `${whole} ${rest}${smallName}`;
}

function trimZero(value: number): string {
  return value.toFixed(1).replace(/\.0$/, '');
}
