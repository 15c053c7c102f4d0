/** One line of `constraints` in a spec, parsed: `os == linux`, `pool != spot`, `arch in (amd64, arm64)`, `zone not in (a)`. */
export interface Constraint {
  readonly label: string;
  readonly operator: 'in' | 'notIn';
  readonly values: readonly string[];
}

/** @throws Rejection `invalidRequest` with the column at fault. */
export declare function parseConstraint(text: string): Constraint;
