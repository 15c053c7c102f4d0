import { isDeepStrictEqual } from 'node:util';
import { picture } from '../src/builders.ts';
import { FINAL_JOB_LETTER, TABLE_LETTERS } from '../../node/storage/state-keys.ts';
import { checkInvariants } from '../../src/state/invariants.ts';
import { call } from './caller.ts';
import { LOCAL } from './client.ts';
import { checkHistory } from './job-model.ts';
import type { Machine } from './machine.ts';
import { newestConfiguration } from './operator.ts';
import type { Simulation } from './simulation.ts';
import { ensure } from './violation.ts';

/** After the faults: the cluster serves through every member, all are equal, and nothing acknowledged is lost. */
export async function checkHealed(simulation: Simulation): Promise<void> {
  await simulation.until('somebody leads', () => leaderOf(simulation) !== null);
  for (const machine of simulation.machines) if (isMember(simulation, machine)) await serve(simulation, machine);
  await simulation.until('all members hold everything', () =>
    simulation.machines.every((machine) => !isMember(simulation, machine) || isLevel(simulation, machine)),
  );
  for (const machine of simulation.machines) if (isMember(simulation, machine)) compare(simulation, machine);
  checkAcknowledged(simulation);
  checkHistory(simulation.history);
}

function leaderOf({ machines }: Simulation): Machine | null {
  return machines.find(({ replica }) => replica?.isLeader === true) ?? null;
}

/** One whose disk is lost may still be in the configuration. */
function isMember(simulation: Simulation, machine: Machine): boolean {
  const leader = leaderOf(simulation);
  if (leader === null || machine.state === 'gone' || machine.state === 'refusing') return false;
  const { voters, outgoing, learners } = newestConfiguration(leader.memory ?? leader.disk.log);
  return [...voters, ...outgoing, ...learners].includes(machine.id);
}

/** Takes a write through this node, however many tries it needs. */
async function serve(simulation: Simulation, machine: Machine): Promise<void> {
  let served = false;
  const ask = async (): Promise<void> => {
    const job = simulation.newJobId();
    const key = `last-${machine.id}`;
    const outcome = await call(simulation, machine, (replica) =>
      replica.propose(LOCAL, [
        { kind: 'submit', id: job, spec: { command: ['last'] }, placement: null, idempotency: { key, bodyHash: key } },
      ]),
    );
    served ||= outcome.kind === 'answered' && outcome.value[0]?.ok === true;
  };
  let asking: Promise<void> | null = null;
  await simulation.until(`${machine.id} serves`, () => {
    if (!served && asking === null && isMember(simulation, machine)) asking = ask().finally(() => (asking = null));
    return served || !isMember(simulation, machine);
  });
}

function isLevel({ invariants }: Simulation, { replica, disk }: Machine): boolean {
  const { last } = invariants.reference;
  return replica?.applier.applied === last && replica.consensus.commitIndex === last && disk.state.applied === last;
}

function compare({ invariants }: Simulation, { id, replica, disk }: Machine): void {
  const { reference } = invariants;
  if (replica === null) return;
  checkInvariants(replica.state);
  ensure(disk.state.hash === reference.image.hash, 'equal states', () => `${id} has another database`);
  const same = isDeepStrictEqual(picture(replica.state), picture(reference.state));
  ensure(same, 'equal states', () => `${id} has another heap than a replica that only applied the log`);
}

function checkAcknowledged({ acknowledged, invariants, machines }: Simulation): void {
  for (const [key, job] of acknowledged) {
    const known = invariants.reference.jobOf(key);
    ensure(known === job, 'acknowledged is never lost', () => `${key} was ${job} and is ${known}`);
    for (const { id, replica, disk } of machines) {
      if (replica === null || disk.state.applied < invariants.reference.last) continue;
      const there = disk.state.rows.has(TABLE_LETTERS.job + job) || disk.state.rows.has(FINAL_JOB_LETTER + job);
      ensure(there, 'acknowledged is never lost', () => `${id} does not hold ${job}`);
    }
  }
}
