import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { ClusterView, RunnerView } from '../../../src/api/views.ts';
import { answerJson, JOB_ID } from '../../support/fake-api.ts';
import { useFakeCommandLine } from '../../support/use-fake-command-line.ts';

const cli = useFakeCommandLine();

describe('quorate runners, cluster, token, blob', () => {
  const resources = { cpu: 4, memory: 2 ** 33, gpu: 0, disk: 0, custom: {} };
  const runner: RunnerView = {
    id: 'r1',
    incarnation: 'i',
    total: resources,
    free: { ...resources, cpu: 1.5 },
    labels: { os: 'linux' },
    state: 'draining',
    running: [JOB_ID],
    load: null,
  };
  const rest = {
    version: '0.1.0',
    wish: null,
    commitIndex: null,
    appliedIndex: null,
    lag: null,
    lastSeen: null,
  };
  const cluster: ClusterView = {
    clusterId: 'c1',
    node: 'n1',
    leader: 'n2',
    term: 3,
    commitIndex: 9,
    appliedIndex: 8,
    members: [
      { id: 'n1', role: 'voter', addresses: ['/ip4/1'], http: 'http://a', health: 'alive', ...rest, lag: 7 },
      { id: 'n2', role: 'voter', addresses: [], http: null, health: 'unreachable', ...rest, wish: 'leave' },
    ],
    faultTolerance: 0,
    warnings: [{ code: 'quorumAtRisk', detail: 'one more and it stops', member: null }],
    settings: { voters: 5, replaceDeadAfter: '10m' },
  };

  it('lists runners with what they have free, and drains one', async () => {
    cli.api.handler = ({ method }, response) => answerJson(response, method === 'GET' ? { items: [runner] } : runner);
    expect((await cli.quorate(['runners'])).stdout).toMatch(/r1 +draining +1 +1\.5 of 4 +8GiB of 8GiB +os=linux/);
    expect((await cli.quorate(['drain', 'r1'])).stdout).toBe('r1 draining, 1 job there\n');
    expect(cli.api.requests[1]).toMatchObject({ method: 'POST', path: '/v1/runners/r1/drain' });
  });

  it('shows the members and who leads', async () => {
    cli.api.handler = (_request, response) => answerJson(response, cluster);
    const { stdout } = await cli.quorate(['cluster']);
    expect(stdout).toMatch(/leader +n2/);
    expect(stdout).toMatch(/n2 +voter +leader, leaving +unreachable +\? +\? +\? +\?/);
    expect(stdout).toMatch(/n1 +voter +alive +\? +\? +7 /);
    expect(stdout).toContain('2 of 5 wanted; dead ones replaced: after 10m');
    expect(stdout).toContain('warning: one more and it stops (quorumAtRisk)');
    expect(JSON.parse((await cli.quorate(['cluster', 'status', '--json', '--stale'])).stdout)).toEqual(cluster);
    expect(cli.api.requests.map(({ query }) => query.get('consistency'))).toEqual(['linearizable', 'stale']);
  });

  it.each([
    [['add', 'n3'], 'POST', '/v1/cluster/members', { id: 'n3', role: 'voter' }],
    [['demote', 'n3'], 'POST', '/v1/cluster/members', { id: 'n3', role: 'learner', force: false }],
    [['demote', 'n3', '--force'], 'POST', '/v1/cluster/members', { id: 'n3', role: 'learner', force: true }],
    [['release', 'n3'], 'POST', '/v1/cluster/members', { id: 'n3', role: 'automatic' }],
    [['remove', 'n3'], 'DELETE', '/v1/cluster/members/n3', null],
    [['set', '--voters', '5'], 'PUT', '/v1/cluster/settings', { voters: 5 }],
    [['set', '--replace-dead-after', '10m'], 'PUT', '/v1/cluster/settings', { replaceDeadAfter: '10m' }],
    [['transfer', 'n3'], 'POST', '/v1/cluster/transfer', { to: 'n3' }],
  ] as const)('cluster %j asks for it', async (args, method, path, body) => {
    cli.api.handler = (_request, response) => answerJson(response, cluster);
    expect((await cli.quorate(['cluster', ...args])).code).toBe(0);
    expect(cli.api.requests[0]).toMatchObject({ method, path, body: body === null ? '' : JSON.stringify(body) });
  });

  it('forces a removal only when told to', async () => {
    cli.api.handler = (_request, response) => answerJson(response, cluster);
    await cli.quorate(['cluster', 'remove', 'n3']);
    await cli.quorate(['cluster', 'remove', 'n3', '--force']);
    expect(cli.api.requests.map(({ query }) => query.get('force'))).toEqual([null, 'true']);
  });

  it('invites a new machine with the command alone on standard output', async () => {
    const command = 'quorate up --join qj1_x';
    const invitation = { token: 'qj1_x', uses: 1, expiresAt: 'then', command };
    cli.api.handler = (_request, response) => answerJson(response, invitation, 201);
    const invited = await cli.quorate(['cluster', 'add', '--ttl', '2h']);
    expect(invited).toMatchObject({ code: 0, stdout: `${command}\n` });
    expect(invited.stderr).toContain('--p2p ADDRESS:8751');
    expect(JSON.parse(cli.api.requests[0]!.body)).toEqual({ ttl: '2h' });
  });

  it.each([
    ['an even number of voters', ['set', '--voters', '4']],
    ['nothing to set', ['set']],
    ['a time for the token of a member', ['add', 'n3', '--ttl', '1h']],
  ])('cluster takes no %s', async (_what, args) => {
    expect((await cli.quorate(['cluster', ...args])).code).toBe(2);
    expect(cli.api.requests).toHaveLength(0);
  });

  it.each(['quorumAtRisk', 'memberBehind', 'memberUnreachable', 'notVoter', 'enoughVoters'])(
    'tells what to do next after %s',
    async (code) => {
      const problem = { type: 'about:blank', title: 'Conflict', status: 409, code, detail: 'no' };
      cli.api.handler = (_request, response) => answerJson(response, problem, 409);
      const refused = await cli.quorate(['cluster', 'transfer', 'n3']);
      expect(refused).toMatchObject({ code: 4, stderr: expect.stringMatching(/next: .*quorate cluster/) });
    },
  );

  it('prints a token alone on standard output', async () => {
    cli.api.handler = ({ path, body }, response) => {
      const join = path.endsWith('/join');
      const { uses } = JSON.parse(body) as { uses?: number };
      answerJson(response, join ? { token: 'qj1_x', uses, expiresAt: 'then' } : { token: 'qt_x' }, 201);
    };
    const joining = await cli.quorate(['token', 'create', '--join', '--uses', '3', '--ttl', '2h']);
    expect(joining).toMatchObject({ code: 0, stdout: 'qj1_x\n' });
    expect(joining.stderr).toContain('quorate up --join');
    const args = ['token', 'create', '--name', 'ci', '--scope', 'jobs:write', '--scope', 'jobs:read', '--ttl', '1d'];
    expect(await cli.quorate(args)).toEqual({ code: 0, stdout: 'qt_x\n', stderr: '' });
    expect(cli.api.requests.map(({ path, body }) => [path, JSON.parse(body) as unknown])).toEqual([
      ['/v1/tokens/join', { uses: 3, ttl: '2h' }],
      ['/v1/tokens', { name: 'ci', scopes: ['jobs:write', 'jobs:read'], ttl: '1d' }],
    ]);
  });

  it.each([
    ['no scope', ['create']],
    ['a scope that there is not', ['create', '--scope', 'everything']],
    ['uses of a token that nobody joins with', ['create', '--scope', 'admin', '--uses', '2']],
    ['a join token with scopes', ['create', '--join', '--scope', 'admin']],
  ])('makes no token with %s', async (_what, args) => {
    expect((await cli.quorate(['token', ...args])).code).toBe(2);
    expect(cli.api.requests).toHaveLength(0);
  });

  it('lists and revokes tokens', async () => {
    const token = { id: 't1', name: 'ci', scopes: ['jobs:read'], expiresAt: null };
    cli.api.handler = ({ method }, response) =>
      method === 'GET' ? answerJson(response, { items: [token], nextCursor: null }) : response.writeHead(204).end();
    expect((await cli.quorate(['token', 'list'])).stdout).toMatch(/t1 +ci +never +jobs:read/);
    expect(await cli.quorate(['token', 'revoke', 't1'])).toMatchObject({ code: 0, stdout: 't1 revoked\n' });
  });

  it('stores bytes under their hash and reads them back', async () => {
    const hash = createHash('sha256').update('content').digest('hex');
    cli.api.handler = ({ method }, response) => (method === 'PUT' ? answerJson(response, {}) : response.end('content'));
    expect(await cli.quorate(['blob', 'put', '-'], 'content')).toEqual({ code: 0, stdout: `${hash}\n`, stderr: '' });
    expect(cli.api.requests[0]).toMatchObject({ path: `/v1/blobs/sha256/${hash}`, body: 'content' });
    const file = join(cli.folder, 'out');
    expect((await cli.quorate(['blob', 'get', hash, '--output', file])).code).toBe(0);
    expect(await readFile(file, 'utf8')).toBe('content');
    expect((await cli.quorate(['blob', 'get', hash])).stdout).toBe('content');
  });

  it('tells the size of a blob, and that there is none', async () => {
    const hash = 'a'.repeat(64);
    cli.api.handler = ({ method }, response) =>
      response.writeHead(method === 'HEAD' ? 200 : 500, { 'content-length': '12' }).end();
    expect(await cli.quorate(['blob', 'stat', hash])).toEqual({ code: 0, stdout: '12\n', stderr: '' });
    expect(JSON.parse((await cli.quorate(['blob', 'stat', hash, '--json'])).stdout)).toEqual({ hash, size: 12 });
    cli.api.handler = (_request, response) => response.writeHead(404).end();
    const none = await cli.quorate(['blob', 'stat', hash]);
    expect([none.code, none.stderr.includes('(notFound)')]).toEqual([4, true]);
    expect((await cli.quorate(['blob', 'stat', 'x'])).code).toBe(2);
  });

  it('leaves no file behind when the bytes are not those of the hash', async () => {
    cli.api.handler = (_request, response) => response.end('other');
    const result = await cli.quorate(['blob', 'get', 'a'.repeat(64), '-o', join(cli.folder, 'out')]);
    expect(result.code).toBe(4);
    expect(result.stderr).toContain('(hashMismatch)');
    expect(await readdir(cli.folder)).toEqual([]);
  });
});
