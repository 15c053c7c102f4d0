import { Rejection } from '../errors.ts';

/** One line of `constraints` in a spec, parsed: `os == linux`, `pool != spot`, `arch in (amd64, arm64)`, `zone not in (a)`. */
export interface Constraint {
  readonly label: string;
  readonly operator: 'in' | 'notIn';
  readonly values: readonly string[];
}

const MAX_LENGTH = 1024;
const LABEL = /[A-Za-z0-9][A-Za-z0-9._/-]*/y;
const VALUE = /"[^"]*"|[A-Za-z0-9._/:+@-]+/y;
const OPERATOR = /==|!=|in(?![A-Za-z0-9._/-])|not\s+in(?![A-Za-z0-9._/-])/y;
const SPACE = /\s*/y;

/**
 * A value with other characters than letters, digits and `._/:+@-` stands in double quotes.
 * @throws Rejection `invalidRequest` with the column at fault.
 */
export function parseConstraint(text: string): Constraint {
  if (text.length > MAX_LENGTH) throw new Rejection('invalidRequest', `longer than ${MAX_LENGTH} characters`);
  const scanner = new Scanner(text);
  const label = scanner.take(LABEL, 'the name of a label');
  const operator = scanner.take(OPERATOR, 'one of ==, !=, in, not in');
  const isList = operator.endsWith('in');
  const values = isList ? takeList(scanner) : [takeValue(scanner)];
  scanner.expectEnd();
  return { label, operator: operator === '==' || operator === 'in' ? 'in' : 'notIn', values };
}

/** A label that is not there equals nothing. */
export function matches(constraint: Constraint, labels: Readonly<Record<string, string>>): boolean {
  const value = Object.hasOwn(labels, constraint.label) ? labels[constraint.label] : undefined;
  const isListed = value !== undefined && constraint.values.includes(value);
  return constraint.operator === 'in' ? isListed : !isListed;
}

export function formatConstraint({ label, operator, values }: Constraint): string {
  const [only] = values;
  if (values.length === 1 && only !== undefined)
    return `${label} ${operator === 'in' ? '==' : '!='} ${formatValue(only)}`;
  return `${label} ${operator === 'in' ? 'in' : 'not in'} (${values.map(formatValue).join(', ')})`;
}

function takeList(scanner: Scanner): string[] {
  scanner.take(/\(/y, '"("');
  const values = [takeValue(scanner)];
  while (scanner.take(/,|\)/y, '"," or ")"') === ',') values.push(takeValue(scanner));
  return values;
}

function takeValue(scanner: Scanner): string {
  const value = scanner.take(VALUE, 'a value');
  return value.startsWith('"') ? value.slice(1, -1) : value;
}

function formatValue(value: string): string {
  VALUE.lastIndex = 0;
  return VALUE.exec(value)?.[0] === value ? value : `"${value}"`;
}

class Scanner {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** @param pattern a sticky one */
  take(pattern: RegExp, wanted: string): string {
    this.#skipSpace();
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    if (found === undefined) this.#fail(wanted);
    this.#at += found.length;
    return found;
  }

  expectEnd(): void {
    this.#skipSpace();
    if (this.#at < this.#text.length) this.#fail('the end');
  }

  #skipSpace(): void {
    SPACE.lastIndex = this.#at;
    this.#at += SPACE.exec(this.#text)?.[0].length ?? 0;
  }

  #fail(wanted: string): never {
    throw new Rejection(
      'invalidRequest',
      `expected ${wanted} at column ${this.#at + 1} of ${JSON.stringify(this.#text)}`,
    );
  }
}
