/** Sets of whole numbers as ranges: first, last, first, last, …, ascending and never adjacent. */

export function hasNumber(ranges: readonly number[], number: number): boolean {
  for (let i = ranges.length - 2; i >= 0; i -= 2) {
    const first = ranges[i] ?? 0;
    const last = ranges[i + 1] ?? 0;
    if (number > last) return false;
    if (number >= first) return true;
  }
  return false;
}

/** @param number one that is not in them */
export function withNumber(ranges: readonly number[], number: number): number[] {
  const all = [...ranges];
  let at = all.length;
  while (at > 0 && (all[at - 2] ?? 0) > number) at -= 2;
  const joinsBefore = at > 0 && all[at - 1] === number - 1;
  const joinsAfter = all[at] === number + 1;
  if (joinsBefore && joinsAfter) all.splice(at - 1, 2);
  else if (joinsBefore) all[at - 1] = number;
  else if (joinsAfter) all[at] = number;
  else all.splice(at, 0, number, number);
  return all;
}
