import type { Mutation } from '../../support/mutant.ts';

/** A mistake that a scheduler can make, as a change of the sources; some promise must be seen to be broken by it. */
export interface Mistake extends Mutation {
  readonly what: string;
}

export const MISTAKES: readonly Mistake[] = [
  {
    what: 'a placement is not checked against what is free',
    file: 'src/scheduling/feasibility.ts',
    find: 'return seat.attempts < LIMITS.runnerAttempts && fits(demand, seat.free);',
    replace: 'return seat.attempts < LIMITS.runnerAttempts || fits(demand, seat.free);',
  },
  {
    what: 'constraints are not looked at',
    file: 'src/scheduling/feasibility.ts',
    find: "return runner.state === 'ready' && constraints.every((constraint) => matches(constraint, runner.labels));",
    replace:
      "return runner.state === 'ready' && (constraints.length >= 0 || constraints.every((c) => matches(c, runner.labels)));",
  },
  {
    what: 'room that a decision took is given once more in the same call',
    file: 'src/scheduling/seats.ts',
    find: '    seat.free = subtract(seat.free, demand);\n    seat.attempts += 1;',
    replace: '    seat.attempts += 1;',
  },
  {
    what: 'the room of what ended is not given back',
    file: 'src/state/state.ts',
    find: 'if (behind === undefined) allocation.free = add(allocation.free, job.plan.demand);',
    replace: 'if (behind !== undefined) allocation.free = add(allocation.free, job.plan.demand);',
  },
  {
    what: 'one job without room holds up its whole lane',
    file: 'src/scheduling/turns.ts',
    find: '    heads.drop(head);\n    this.#putBack(queue, lane, heads.next());',
    replace: '    heads.drop(head);\n    this.#putBack(queue, lane, null);',
  },
  {
    what: 'queues take turns by age alone',
    file: 'src/scheduling/turns.ts',
    find: 'return priorityOf(second) - priorityOf(first) || compareShares(a, b) || keyOf(first) - keyOf(second);',
    replace: 'return priorityOf(second) - priorityOf(first) || keyOf(first) - keyOf(second);',
  },
  {
    what: 'projects take turns by age alone',
    file: 'src/scheduling/turns.ts',
    find: 'return priorityOf(b) - priorityOf(a) || compareShares(a, b) || keyOf(a) - keyOf(b);',
    replace: 'return priorityOf(b) - priorityOf(a) || keyOf(a) - keyOf(b);',
  },
  {
    what: 'weights do not count while a round goes on',
    file: 'src/scheduling/turns.ts',
    find: 'queue.share = this.#shareOf(queue.use) / weight;',
    replace: 'queue.share = this.#shareOf(queue.use);',
  },
  {
    what: 'shares come before priorities',
    file: 'src/scheduling/turns.ts',
    find: 'return priorityOf(b) - priorityOf(a) || compareShares(a, b) || keyOf(a) - keyOf(b);',
    replace: 'return compareShares(a, b) || priorityOf(b) - priorityOf(a) || keyOf(a) - keyOf(b);',
  },
  {
    what: 'a project that gave back its room is still charged for it',
    file: 'src/scheduling/queue-use.ts',
    find: '    own.use = withOneLess(own.use, demand);\n',
    replace: '',
  },
  {
    what: 'a queue of lower priority comes first where it holds less',
    file: 'src/scheduling/turns.ts',
    find: 'return priorityOf(second) - priorityOf(first) || compareShares(a, b) || keyOf(first) - keyOf(second);',
    replace: 'return compareShares(a, b) || priorityOf(second) - priorityOf(first) || keyOf(first) - keyOf(second);',
  },
  {
    what: 'no runner is ever kept',
    file: 'src/scheduling/reservation.ts',
    find: 'export const RESERVE_AFTER_MS = 60_000;',
    replace: 'export const RESERVE_AFTER_MS = 60_000_000;',
  },
  {
    what: 'runners are kept only for the owner whose turn is first',
    file: 'src/scheduling/turns.ts',
    find: 'else if (this.#isNear(lane, least, queue, first)) found',
    replace: 'else if (this.#isNear(lane, least, queue, first) && found.length > 1e9) found',
  },
  {
    what: 'the kept runners are those that lack the most',
    file: 'src/scheduling/room-table.ts',
    find: '(lacks[a] as number) - (lacks[b] as number) ||',
    replace: '(lacks[b] as number) - (lacks[a] as number) ||',
  },
  {
    what: 'a runner that is kept takes smaller jobs all the same',
    file: 'src/scheduling/reservation.ts',
    find: 'return fits(kept, demand);',
    replace: 'return fits(kept, demand) || demand.cpuMilli >= 0;',
  },
  {
    what: 'all runners are kept at once',
    file: 'src/scheduling/reservation.ts',
    find: 'const RUNNERS_PER_RESERVATION = 8;',
    replace: 'const RUNNERS_PER_RESERVATION = 1;',
  },
  {
    what: 'a state that is loaded anew does not know what runs',
    file: 'src/state/state.ts',
    find: 'for (const job of state.jobs.values()) if (holdsRunner(job)) enterJob(state, job);',
    replace:
      'for (const job of state.jobs.values()) if (holdsRunner(job) && job.past.length > 0) enterJob(state, job);',
  },
];
