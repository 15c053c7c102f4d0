import type { BatchLine, ClusterView, JobView, Page, Readiness, RunnerView } from '../../src/api/views.ts';
import { HttpClient, parseLines, type HttpAnswer } from './http-client.ts';

/** The job API of one node, with the shapes of the contract; anything but the expected status throws. */
export class NodeApi {
  readonly http: HttpClient;

  constructor(url: string, token: string | null, socketPath: string | null = null) {
    this.http = new HttpClient(url, token, socketPath);
  }

  async submit(spec: object, headers: Readonly<Record<string, string>> = {}): Promise<JobView> {
    return expectStatus(await this.http.post('/v1/jobs', spec, { headers }), 201).json<JobView>();
  }

  async submitBatch(specs: readonly unknown[]): Promise<readonly BatchLine[]> {
    const answer = expectStatus(await this.http.postLines('/v1/jobs/batch', specs, { timeoutMs: 300_000 }), 200, 201);
    return parseLines<BatchLine>(answer.text);
  }

  async job(id: string): Promise<JobView> {
    return expectStatus(await this.http.get(`/v1/jobs/${id}`), 200).json<JobView>();
  }

  async jobs(query: string): Promise<Page<JobView>> {
    return expectStatus(await this.http.get(`/v1/jobs?${query}`), 200).json<Page<JobView>>();
  }

  /** Asks again until the job is final. */
  async waitFinal(id: string, timeoutMs = 120_000): Promise<JobView> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const job = expectStatus(await this.http.get(`/v1/jobs/${id}/wait?timeout=30s`), 200).json<JobView>();
      if (job.finalAt !== null) return job;
      if (performance.now() > deadline) throw new Error(`still not final: ${JSON.stringify(job)}`);
    }
  }

  async cancel(id: string): Promise<JobView> {
    return expectStatus(await this.http.post(`/v1/jobs/${id}/cancel`, {}), 200, 202).json<JobView>();
  }

  async logs(id: string, query = ''): Promise<string> {
    return expectStatus(await this.http.get(`/v1/jobs/${id}/logs?${query}`), 200).text;
  }

  async runners(): Promise<readonly RunnerView[]> {
    const answer = expectStatus(await this.http.get('/v1/runners'), 200).json<Page<RunnerView>>();
    return answer.items;
  }

  async cluster(): Promise<ClusterView> {
    return expectStatus(await this.http.get('/v1/cluster?consistency=stale'), 200).json<ClusterView>();
  }

  async readiness(): Promise<{ readonly status: number; readonly body: Readiness }> {
    const answer = await this.http.get('/readyz', { timeoutMs: 5_000 });
    return { status: answer.status, body: answer.json<Readiness>() };
  }

  close(): void {
    this.http.close();
  }
}

export function expectStatus(answer: HttpAnswer, ...statuses: readonly number[]): HttpAnswer {
  if (statuses.includes(answer.status)) return answer;
  throw new Error(`expected status ${statuses.join(' or ')}, got ${answer.status}: ${answer.text.slice(0, 2000)}`);
}
