import { clientCommand, type Declare, does } from './declare.ts';
import { fileOptions, quietOption, specOptions } from './options.ts';

export function declareSubmitting(declare: Declare): void {
  declare.program.commandsGroup('Submitting:');
  const run = fileOptions(
    specOptions(clientCommand(declare, 'run', 'submit a job, follow its output, and end with its exit code')),
  )
    .argument('<COMMAND...>', 'what to run, behind --')
    .option('--detach', 'print the id and leave')
    .passThroughOptions();
  run.addHelpText('after', '\nCtrl-C cancels the job; once more leaves at once.\n\n  quorate run --cpu 2 -- make test');
  does(declare, run, async () => (await import('./run.ts')).run);

  const submit = fileOptions(specOptions(clientCommand(declare, 'submit', 'submit a job and print its id')))
    .argument('[COMMAND...]', 'what to run, behind --')
    .option('--file <FILE>', 'a job spec in JSON; - reads it from here; flags go before what it says')
    .option('--idempotency-key <KEY>', 'submissions under one key are one job')
    .passThroughOptions();
  does(declare, submit, async () => (await import('./submit.ts')).submit);

  const batch = quietOption(
    clientCommand(declare, 'batch', 'submit many jobs, one JSON spec in a line, and print their ids'),
  )
    .argument('<FILE>', 'the file of specs; - for what comes in here')
    .option('--idempotency-key <KEY>', 'sent again under one key, what was taken is not taken twice')
    .option('--wait', 'wait until all have ended; the exit code is 1 if one did not succeed');
  does(declare, batch, async () => (await import('./batch.ts')).batch);
}
