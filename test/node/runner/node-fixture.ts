import { pino } from 'pino';
import { createRunnerSupervisor } from '../../../node/runner/supervisor.ts';
import type { Assignment } from '../../../node/runner/ports.ts';

/** A node process to be killed: connects, starts what the JSON on the command line says, tells and waits. */
const [dataDir = '', assignments = '[]', options = '{}'] = process.argv.slice(2);
const supervisor = createRunnerSupervisor(
  { logger: pino({ level: 'silent' }) },
  { dataDir, runner: JSON.parse(options) as object },
);
supervisor.onEvent((event) => process.stdout.write(`${JSON.stringify(event)}\n`));
const { incarnation, pid } = await supervisor.connect();
process.stdout.write(`${JSON.stringify({ kind: 'connected', incarnation, pid })}\n`);
for (const assignment of JSON.parse(assignments) as Assignment[]) supervisor.start(assignment);
setInterval(() => {}, 1000);
