import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { BatchLine, GroupView, Problem } from '../../src/api/views.ts';
import { LIMITS } from '../../src/limits.ts';
import { runQuorate } from '../support/command-line.ts';
import { expectStatus, type NodeApi } from '../support/node-api.ts';
import { useCluster } from '../support/use-cluster.ts';

const NOBODY = '018f0000-0000-7000-8000-000000000000';
/** Waits for a date that does not come. */
const IDLE = { command: ['true'], notBefore: '2099-01-01T00:00:00Z' };

const cluster = useCluster({ size: 1 });

function api(): NodeApi {
  return cluster().node(0).api;
}

async function makeGroup(request: object): Promise<string> {
  return expectStatus(await api().http.post('/v1/groups', request), 201).json<GroupView>().id;
}

/** Ids of things that the cases need, once they are there. */
const known: Record<'job' | 'closed' | 'web' | 'deepest', string> = { job: '', closed: '', web: '', deepest: '' };

beforeAll(async () => {
  known.job = (await api().submit(IDLE)).id;
  known.closed = await makeGroup({});
  expectStatus(await api().http.post(`/v1/groups/${known.closed}/close`, {}), 200);
  known.web = await makeGroup({ project: 'web' });
  known.deepest = known.job;
  for (let depth = 0; depth < LIMITS.childDepth; depth += 1) {
    known.deepest = (await api().submit({ ...IDLE, parent: known.deepest })).id;
  }
});

type Refusal = readonly [what: string, spec: () => object, expected: Partial<Problem>, detail: RegExp];

/** One job that is refused, however it is submitted. */
const REFUSALS: readonly Refusal[] = [
  [
    'a dependency that nobody knows',
    () => ({ ...IDLE, dependsOn: [{ job: NOBODY }] }),
    { status: 422, code: 'unknownDependency', field: 'dependsOn' },
    /no job has the id 018f.*submit it first, or leave it out/,
  ],
  [
    'a dependency named twice',
    () => ({ ...IDLE, dependsOn: [{ job: known.job }, { job: known.job, on: 'failed' }] }),
    { status: 400, code: 'invalidRequest', field: 'dependsOn' },
    /names a job twice/,
  ],
  [
    'a dependency that is no id',
    () => ({ ...IDLE, dependsOn: [{ job: 'compile' }] }),
    { status: 400, code: 'invalidRequest', field: 'dependsOn[0].job' },
    /must be the id of a job/,
  ],
  [
    'an end that there is not',
    () => ({ ...IDLE, dependsOn: [{ job: known.job, on: 'lunch' }] }),
    { status: 400, code: 'invalidRequest', field: 'dependsOn[0].on' },
    /succeeded.*failed.*finished/,
  ],
  [
    'too many dependencies',
    () => ({ ...IDLE, dependsOn: Array.from({ length: LIMITS.dependencies + 1 }, (_, n) => ({ job: idOf(n) })) }),
    { status: 400, code: 'invalidRequest', field: 'dependsOn' },
    /256/,
  ],
  [
    'a constraint that does not parse',
    () => ({ ...IDLE, constraints: ['os == linux', 'arch in amd64'] }),
    { status: 400, code: 'invalidRequest', field: 'constraints[1]' },
    /arch in amd64|must be/,
  ],
  [
    'a group that nobody made',
    () => ({ ...IDLE, group: NOBODY }),
    { status: 404, code: 'unknownGroup', field: 'group' },
    /no group has the id/,
  ],
  [
    'a closed group',
    () => ({ ...IDLE, group: known.closed }),
    { status: 409, code: 'groupClosed', field: 'group' },
    /finished and takes no more jobs: make another group/,
  ],
  [
    'a group of another project',
    () => ({ ...IDLE, group: known.web }),
    { status: 422, code: 'wrongProject', field: 'project' },
    /of the project web, the job of default: name the project of the group/,
  ],
  [
    'a parent that nobody knows',
    () => ({ ...IDLE, parent: NOBODY }),
    { status: 422, code: 'unknownParent', field: 'parent' },
    /is final, or there is none/,
  ],
  [
    'a child that stands too deep',
    () => ({ ...IDLE, parent: known.deepest }),
    { status: 422, code: 'childLimit', field: 'parent' },
    /at most 16 deep \(childDepth\)/,
  ],
];

function idOf(n: number): string {
  return `018f0000-0000-7000-8000-${String(n).padStart(12, '0')}`;
}

async function quorate(args: readonly string[], stdin = '') {
  const { http } = await cluster().node(0).requireFile();
  const env = { QUORATE_URL: `http://${http}`, QUORATE_TOKEN: await cluster().adminToken() };
  return runQuorate(args, { env, stdin });
}

describe('a job that cannot be taken', () => {
  it.each(REFUSALS)(
    'for %s is refused alone, in a batch, and at the command line',
    async (_what, spec, expected, detail) => {
      const alone = await api().http.post('/v1/jobs', spec());
      expect(alone.headers['content-type']).toMatch(/^application\/problem\+json/);
      const told = { ...expected, detail: expect.stringMatching(detail) };
      expect({ ...alone.json<Problem>(), status: alone.status }).toMatchObject(told);
      const lines = await api().submitBatch([IDLE, spec(), IDLE]);
      expect(lines).toMatchObject([{ id: expect.any(String) }, { error: told }, { id: expect.any(String) }]);
      const file = join(cluster().folder, 'bad.json');
      await writeFile(file, JSON.stringify(spec()));
      const { code, stdout, stderr } = await quorate(['submit', '--file', file]);
      expect([code, stdout]).toEqual([4, '']);
      expect(stderr).toMatch(detail);
      expect(stderr).toContain(`(${expected.code})`);
    },
  );
});

describe('names of lines', () => {
  const cases: readonly (readonly [string, () => readonly object[], readonly (string | null)[]])[] = [
    ['of a line itself', () => [{ ref: 'a', dependsOn: [{ ref: 'a' }] }], ['unknownRef']],
    [
      'in a circle',
      () => [
        { ref: 'a', dependsOn: [{ ref: 'b' }] },
        { ref: 'b', dependsOn: [{ ref: 'a' }] },
      ],
      ['unknownRef', 'dependencyRefused'],
    ],
    ['that stand below', () => [{ dependsOn: [{ ref: 'b' }] }, { ref: 'b' }], ['unknownRef', null]],
    [
      'that came to nothing',
      () => [
        { ref: 'a', group: known.closed },
        { ref: 'b', dependsOn: [{ ref: 'a' }] },
        { dependsOn: [{ ref: 'b' }, { job: known.job }] },
      ],
      ['groupClosed', 'dependencyRefused', 'dependencyRefused'],
    ],
    [
      'beside an unknown job',
      () => [{ ref: 'a' }, { dependsOn: [{ ref: 'a' }, { job: NOBODY }] }],
      [null, 'unknownDependency'],
    ],
    ['twice', () => [{ ref: 'a' }, { ref: 'a' }], [null, 'conflict']],
  ];

  it.each(cases)('%s are refused, over HTTP and at the command line', async (_what, lines, codes) => {
    const batch = lines().map((line) => ({ ...IDLE, ...line }));
    const answers = await api().submitBatch(batch);
    expect(answers.map(codeOf)).toEqual(codes);
    const result = await quorate(['batch', '-'], batch.map((line) => `${JSON.stringify(line)}\n`).join(''));
    expect(result.code).toBe(4);
    expect(result.stdout.split('\n').filter((id) => id !== '')).toHaveLength(
      codes.filter((code) => code === null).length,
    );
    const told = [...result.stderr.matchAll(/^quorate: job (\d+): .*\((\w+)\)$/gm)].map((match) => [
      match[1],
      match[2],
    ]);
    expect(told).toEqual(codes.flatMap((code, n) => (code === null ? [] : [[String(n + 1), code]])));
  });
});

function codeOf(line: BatchLine): string | null {
  return 'error' in line ? line.error.code : null;
}

describe('a graph in one piece', () => {
  it('runs in its order, over requests and chunks', async () => {
    const width = LIMITS.batchChunkJobs;
    const lines = [
      { ref: 'first', command: ['true'] },
      ...Array.from({ length: width }, (_, n) => ({ ref: `m-${n}`, ...IDLE, dependsOn: [{ ref: 'first' }] })),
      { ref: 'last', command: ['true'], dependsOn: [{ ref: 'first' }], name: 'last' },
      { command: ['false'], dependsOn: [{ ref: 'last' }], name: 'end' },
      { command: ['true'], dependsOn: [{ ref: 'last', on: 'failed' }], name: 'alarm' },
    ];
    const answers = await api().submitBatch(lines);
    expect(answers.map(codeOf).every((code) => code === null)).toBe(true);
    const ids = answers.map((line) => ('id' in line ? line.id : ''));
    const [last, end, alarm] = await Promise.all(ids.slice(-3).map((id) => api().waitFinal(id)));
    expect([last, end, alarm].map((job) => job?.state)).toEqual(['succeeded', 'failed', 'cancelled']);
    expect(alarm?.reason).toBe(`the job ${last?.id}, which it depends on, ended as succeeded`);
    expect(await api().job(ids[1] as string)).toMatchObject({
      state: 'waiting',
      spec: { dependsOn: [{ job: ids[0] }] },
    });
  });
});
