/** Amounts of what a runner has and a job takes. Whole numbers, so that sums never drift. */
export interface Resources {
  /** Thousandths of a processor. */
  readonly cpuMilli: number;
  readonly memoryBytes: number;
  readonly gpu: number;
  readonly diskBytes: number;
  /** Thousandths of a custom unit, by name. */
  readonly custom: Readonly<Record<string, number>>;
}
