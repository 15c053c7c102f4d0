import { statfs } from 'node:fs/promises';
import { arch, availableParallelism, hostname, platform, totalmem } from 'node:os';
import type { Resources } from '../../src/resources/resources.ts';
import type { RunnerConfig } from '../config/config.ts';

const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64' };

/** What this machine offers to jobs, where the configuration does not say otherwise. */
export async function machineResources(config: RunnerConfig, dataDir: string): Promise<Resources> {
  const disk = await statfs(dataDir);
  return {
    cpuMilli: Math.round((config.cpu ?? availableParallelism()) * 1000),
    memoryBytes: config.memoryBytes ?? totalmem(),
    gpu: 0,
    diskBytes: disk.bavail * disk.bsize,
    custom: {},
  };
}

export function machineLabels(config: RunnerConfig): Readonly<Record<string, string>> {
  return { os: platform(), arch: ARCHITECTURES[arch()] ?? arch(), host: hostname(), ...config.labels };
}
