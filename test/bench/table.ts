/** One table of docs/PERFORMANCE.md. */
export interface Table {
  readonly name: string;
  readonly heading: string;
  readonly columns: readonly string[];
  /** @returns one list of cells a row, each with as many cells as there are columns */
  measure(run: BenchRun): Promise<readonly (readonly string[])[]>;
}

/** What all tables of one call share. */
export interface BenchRun {
  /** Every figure is the median of so many. */
  readonly rounds: number;
  /** @returns the count of a whole run, made smaller for a quick look */
  scaled(count: number): number;
  /** Tells what is being measured. */
  tell(text: string): void;
  /**
   * Folders go when everything is measured: an ext4 without a journal takes long to create files for some minutes after
   * many were removed.
   */
  removeAtTheEnd(folder: { remove(): Promise<void> }): void;
}

export function formatTable({ heading, columns }: Table, rows: readonly (readonly string[])[]): string {
  const lines = [columns, columns.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`);
  return `## ${heading}\n\n${lines.join('\n')}\n`;
}
