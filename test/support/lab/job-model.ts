import { IMPOSSIBLE, type Model, type Step } from '../linearizability/history.ts';

/**
 * One submission under an idempotency key, as clients see it: a job that nobody runs, since its time is far off. Each
 * key is a partition.
 */
export type JobInput =
  | { readonly kind: 'submit'; readonly key: string }
  | { readonly kind: 'get'; readonly key: string; readonly id: string }
  | { readonly kind: 'cancel'; readonly key: string; readonly id: string };

export type JobOutput =
  | { readonly kind: 'created'; readonly id: string }
  | { readonly kind: 'existed'; readonly id: string }
  | { readonly kind: 'found'; readonly state: string }
  | { readonly kind: 'cancelled' }
  | { readonly kind: 'alreadyFinal' }
  | { readonly kind: 'notFound' };

export type JobState =
  | { readonly kind: 'absent' }
  /** The id is null until somebody was told it. */
  | { readonly kind: 'waiting'; readonly id: string | null }
  | { readonly kind: 'cancelled'; readonly id: string | null };

const ABSENT: JobState = { kind: 'absent' };

export const JOBS: Model<JobState, JobInput, JobOutput> = {
  initial: () => ABSENT,
  step(state, input, output) {
    switch (input.kind) {
      case 'submit':
        return submit(state, output);
      case 'get':
        return get(state, input.id, output);
      case 'cancel':
        return cancel(state, input.id, output);
    }
  },
  key: (state) => (state.kind === 'absent' ? 'absent' : `${state.kind} ${state.id ?? '?'}`),
  partition: (input) => input.key,
  describe: (input, output) => `${input.kind}(${input.kind === 'submit' ? input.key : input.id}) → ${tell(output)}`,
};

function submit(state: JobState, output: JobOutput | undefined): Step<JobState> {
  if (state.kind === 'absent') {
    if (output === undefined) return { ok: true, state: { kind: 'waiting', id: null } };
    return output.kind === 'created' ? { ok: true, state: { kind: 'waiting', id: output.id } } : IMPOSSIBLE;
  }
  if (output === undefined) return { ok: true, state };
  return output.kind === 'existed' ? knownAs(state, output.id) : IMPOSSIBLE;
}

function get(state: JobState, id: string, output: JobOutput | undefined): Step<JobState> {
  if (output === undefined) return { ok: true, state };
  const known = knownAs(state, id);
  if (!known.ok) return output.kind === 'notFound' ? { ok: true, state } : IMPOSSIBLE;
  return output.kind === 'found' && output.state === state.kind ? known : IMPOSSIBLE;
}

function cancel(state: JobState, id: string, output: JobOutput | undefined): Step<JobState> {
  const known = knownAs(state, id);
  if (!known.ok) return output === undefined || output.kind === 'notFound' ? { ok: true, state } : IMPOSSIBLE;
  const told = state.kind === 'waiting' ? 'cancelled' : 'alreadyFinal';
  return output === undefined || output.kind === told ? { ok: true, state: { kind: 'cancelled', id } } : IMPOSSIBLE;
}

function knownAs(state: JobState, id: string): Step<JobState> {
  if (state.kind === 'absent' || (state.id !== null && state.id !== id)) return IMPOSSIBLE;
  return { ok: true, state: { ...state, id } };
}

function tell(output: JobOutput | undefined): string {
  if (output === undefined) return '?';
  if (output.kind === 'found') return output.state;
  return 'id' in output ? `${output.kind} ${output.id}` : output.kind;
}
