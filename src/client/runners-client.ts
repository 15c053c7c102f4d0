import type { Page, RunnerView } from '../api/views.ts';
import { type CallOptions, type Calls, queryOf, type ReadOptions } from './calls.ts';

export class RunnersClient {
  readonly #calls: Calls;

  constructor(calls: Calls) {
    this.#calls = calls;
  }

  async list({ consistency, ...options }: ReadOptions = {}): Promise<readonly RunnerView[]> {
    return (await this.#calls.get<Page<RunnerView>>(`/v1/runners${queryOf({ consistency })}`, options)).items;
  }

  /** It gets no further jobs. */
  drain(id: string, options: CallOptions = {}): Promise<RunnerView> {
    return this.#setMode(id, 'drain', options);
  }

  /** It gets jobs again. */
  undrain(id: string, options: CallOptions = {}): Promise<RunnerView> {
    return this.#setMode(id, 'undrain', options);
  }

  #setMode(id: string, mode: 'drain' | 'undrain', { signal }: CallOptions): Promise<RunnerView> {
    return this.#calls.post(`/v1/runners/${encodeURIComponent(id)}/${mode}`, { repeat: 'always', signal });
  }
}
