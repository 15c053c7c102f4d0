import type { Declare } from './declare.ts';
import { declareGroups } from './group-commands.ts';
import { declareJobs } from './job-commands.ts';
import { declareMachines } from './machine-commands.ts';
import { declareMore } from './more-commands.ts';
import { declareQueues } from './queue-commands.ts';
import { declareSchedules } from './schedule-commands.ts';
import { declareSubmitting } from './submitting-commands.ts';

/** What asks a running cluster, in the order of the help. */
export function declareClientCommands(declare: Declare): void {
  declareSubmitting(declare);
  declareJobs(declare);
  declareGroups(declare);
  declareQueues(declare);
  declareSchedules(declare);
  declareMachines(declare);
  declareMore(declare);
}
