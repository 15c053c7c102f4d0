import type { Output } from './output.ts';

export interface Progress {
  advance(by: number): void;
  stop(): void;
}

const NONE: Progress = { advance: () => undefined, stop: () => undefined };
const FRAMES_PER_SECOND = 10;

/** A bar on a terminal; elsewhere nothing. @param total null when it is not known how much comes */
export async function startProgress(stderr: Output, what: string, total: number | null): Promise<Progress> {
  if (!stderr.isTerminal) return NONE;
  const { default: cliProgress } = await import('cli-progress');
  const bar = new cliProgress.SingleBar(
    {
      format:
        total === null
          ? `{value} ${what}, {duration_formatted}`
          : `{bar} {value}/{total} ${what}, {eta_formatted} left`,
      fps: FRAMES_PER_SECOND,
      hideCursor: true,
      clearOnComplete: true,
      gracefulExit: true,
    },
    cliProgress.Presets.shades_classic,
  );
  bar.start(total ?? 0, 0);
  return { advance: (by) => bar.increment(by), stop: () => bar.stop() };
}
