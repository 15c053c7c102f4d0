import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFailed } from 'vitest';
import type { GroupView, JobView, Page } from '../../src/api/views.ts';
import { expectStatus, type NodeApi } from '../support/node-api.ts';
import { isAlive, processesOf } from '../support/processes.ts';
import { useCluster } from '../support/use-cluster.ts';
import { waitUntil } from '../support/wait-until.ts';

const SCRIPTS = join(import.meta.dirname, '../../scripts');
const PATH = `${SCRIPTS}:${process.env['PATH'] ?? ''}`;
const PATIENCE_MS = 400_000;

const cluster = useCluster({ size: 3 });

const CHILDREN = 500;
/** Of them one in ten fails once and then succeeds, and one in ten fails at each of its two attempts. */
const FAILED = CHILDREN / 10;
/** So many have ended when the machine goes: with those that run then, about a third of all were there. */
const ENDED_BEFORE = 380;

const CHILD = `
n=$1
sleep 1
echo "$n $QUORATE_JOB_ID $QUORATE_ATTEMPT" >> effects
case $n in
  *5) exit 9 ;;
  *0) mkdir "failed-once-$n" 2>/dev/null && exit 75 ;;
esac
exit 0`;

const PARENT = `
set -eu
group=$(quorate group create --name fan-out)
echo "$group"
n=0
while [ "$n" -lt ${CHILDREN} ]; do
  n=$((n + 1))
  printf '{"command":["sh","-c","cd \\\\"$0\\\\" && . ./child.sh $1","%s","%s"],"name":"%s","group":"%s","resources":{"cpu":0.1},"retry":{"max":1,"backoff":{"initial":"100ms"}}}\\n' "$SHARED" "$n" "$n" "$group"
done | quorate batch - > ids
quorate group wait "$group" --close && exit 1
wc -l < ids`;

/** First: a machine that is started again without its flags has no label any more. */
const BRANCHES = 12;
const LEAVES = 8;

describe('a tree of jobs', () => {
  it('leaves no process on any machine when it is cancelled at its root', { timeout: PATIENCE_MS }, async () => {
    const mark = join(cluster().folder, 'tree');
    const job = (command: readonly string[]) => ({ command, env: { PATH, MARK: mark }, resources: { cpu: 0.01 } });
    const lines = (count: number, spec: object) => `${JSON.stringify(spec)}\n`.repeat(count);
    await sharedFolder('tree', {
      'branches.ndjson': cluster()
        .nodes.map(({ name }) => ({
          ...job(['sh', join(mark, 'branch.sh')]),
          constraints: [`host == ${name}`],
        }))
        .map((branch) => lines(BRANCHES / 3, branch))
        .join(''),
      'leaves.ndjson': lines(LEAVES, job(['sh', '-c', 'sleep 601 & sleep 602'])),
      'branch.sh': `
set -e
if command -v curl > /dev/null; then
  curl -fsS --data-binary "@$MARK/leaves.ndjson" -H "Authorization: Bearer $QUORATE_TOKEN" \\
    -H 'Content-Type: application/x-ndjson' "$QUORATE_URL/v1/jobs/batch"
else
  quorate batch "$MARK/leaves.ndjson"
fi
sleep 600`,
    });
    const root = await cluster()
      .node(0)
      .api.submit(job(['sh', '-c', 'quorate batch "$MARK/branches.ndjson" && sleep 600']));
    onTestFailed(() => console.log(`the root was ${root.id}`));
    const size = 1 + BRANCHES + BRANCHES * LEAVES;
    const tree = await waitUntil(
      'the whole tree to run',
      async () => {
        const jobs = await treeBelow(cluster().node(2).api, root.id);
        return jobs.length === size && jobs.every(({ state }) => state === 'running') ? jobs : null;
      },
      { timeoutMs: PATIENCE_MS, everyMs: 500 },
    );
    expect(new Set(tree.map(({ attempts }) => attempts.at(-1)?.runner)).size).toBe(3);
    expect(processesOf(mark).length).toBeGreaterThan(size);

    await cluster().node(1).api.cancel(root.id);
    for (const { id } of tree) expect((await cluster().node(2).api.waitFinal(id)).state).toBe('cancelled');
    await waitUntil('all processes of the tree to have ended', () => (processesOf(mark).some(isAlive) ? null : true));
    const { items } = await cluster().node(0).api.jobs('state=running&limit=1');
    expect(items).toEqual([]);
  });
});

describe('a job that is a shell script', () => {
  it(
    `fans out ${CHILDREN} children that end as they should, though a machine with a third of them vanishes`,
    { timeout: PATIENCE_MS },
    async () => {
      const shared = await sharedFolder('fan-out', { 'child.sh': CHILD, effects: '' });
      const home = cluster().node(0);
      const victim = cluster().node(1);
      await cluster().transferTo(victim);
      const parent = await home.api.submit({
        command: ['sh', '-c', PARENT],
        env: { PATH, SHARED: shared },
        constraints: [`host == ${home.name}`],
        resources: { cpu: 0 },
      });
      onTestFailed(() => console.log(`the parent was ${parent.id}`));
      const group = await waitUntil('the parent to tell its group', async () => {
        const [line = ''] = (await home.api.logs(parent.id, 'stream=stdout')).split('\n');
        return line === '' ? null : line;
      });
      const { nodeId: victimId } = await victim.requireFile();
      await waitUntil(
        'the victim to run some of many',
        async () => {
          const { counts } = await groupAt(home.api, group);
          if (counts.succeeded + counts.failed < ENDED_BEFORE) return null;
          const running = await children(home.api, parent.id, 'state=running&');
          return running.some(({ attempts }) => attempts.at(-1)?.runner === victimId) ? true : null;
        },
        { timeoutMs: PATIENCE_MS },
      );
      const before = await groupAt(home.api, group);
      expect(before.state).not.toBe('finished');
      await victim.killMachine();

      const end = await home.api.waitFinal(parent.id, PATIENCE_MS);
      expect(end.state, await home.api.logs(parent.id, 'stream=stderr')).toBe('succeeded');
      expect((await home.api.logs(parent.id, 'stream=stdout')).trimEnd().split('\n').at(-1)).toBe(String(CHILDREN));
      const after = await groupAt(home.api, group);
      expect(after.state).toBe('finished');
      expect(Object.entries(after.counts).filter(([, count]) => count > 0)).toEqual([
        ['succeeded', CHILDREN - FAILED],
        ['failed', FAILED],
      ]);

      const jobs = await children(home.api, parent.id);
      expect(jobs.map(({ spec }) => Number(spec.name)).toSorted((a, b) => a - b)).toEqual(
        Array.from({ length: CHILDREN }, (_, n) => n + 1),
      );
      expect(jobs.flatMap((job) => wrongAttempts(job, victimId))).toEqual([]);
      const lost = jobs.flatMap(({ attempts }) => attempts.filter(({ state }) => state === 'lost'));
      expect(lost).not.toEqual([]);
      const there = jobs.filter(({ attempts }) => attempts.some(({ runner }) => runner === victimId)).length;
      console.log(
        `${there} of ${CHILDREN} children were at the machine that vanished, and ${lost.length} were lost with it`,
      );
      expect(wrongEffects(jobs, await readFile(join(shared, 'effects'), 'utf8'))).toEqual([]);

      await cluster().restart(victim);
      await cluster().settled();
      await waitUntil(`${victim.name} to catch up`, async () => {
        const seen = await children(victim.api, parent.id, 'consistency=stale&');
        return seen.length === CHILDREN && seen.every(({ finalAt }) => finalAt !== null) ? true : null;
      });
      expect(await children(victim.api, parent.id, 'consistency=stale&')).toEqual(jobs);
      expect((await groupAt(victim.api, group)).counts).toEqual(after.counts);
    },
  );
});

/** What is wrong with the attempts of a child, in words. */
function wrongAttempts({ id, state, spec, attempts }: JobView, victim: string): string[] {
  const ends = attempts.map((attempt) => attempt.state);
  const count = (what: string): number => ends.filter((end) => end === what).length;
  const n = Number(spec.name);
  const failures = n % 10 === 5 ? [2] : n % 10 === 0 ? [0, 1] : [0];
  const wrong: string[] = [];
  if (state !== (n % 10 === 5 ? 'failed' : 'succeeded')) wrong.push(`is ${state}`);
  if (ends.at(-1) !== state || count('succeeded') > 1) wrong.push('counts another attempt than its last');
  if (!failures.includes(count('failed'))) wrong.push('failed otherwise than designed');
  if (count('succeeded') + count('failed') + count('lost') !== ends.length) wrong.push('has an attempt of another end');
  if (attempts.some((attempt) => attempt.state === 'lost' && attempt.runner !== victim))
    wrong.push('was lost elsewhere');
  return wrong.map((what) => `child ${n} (${id}) ${what}: ${ends.join(', ')}`);
}

/** What is wrong with what the children left: each attempt wrote one line, unless it was lost before. */
function wrongEffects(jobs: readonly JobView[], text: string): string[] {
  const lines = text.trimEnd().split('\n');
  const told = new Map<string, number>();
  for (const line of lines) told.set(line, (told.get(line) ?? 0) + 1);
  const wrong: string[] = [];
  for (const { id, spec, attempts } of jobs) {
    for (const { attempt, state } of attempts) {
      const line = `${spec.name} ${id} ${attempt}`;
      const count = told.get(line) ?? 0;
      told.delete(line);
      if (count > 1 || (count === 0 && state !== 'lost')) wrong.push(`${line} (${state}) ran ${count} times`);
    }
  }
  return [...wrong, ...[...told.keys()].map((line) => `nobody knows of ${line}`)];
}

async function treeBelow(api: NodeApi, root: string): Promise<readonly JobView[]> {
  const branches = await children(api, root);
  const leaves = await Promise.all(branches.map(({ id }) => children(api, id)));
  return [await api.job(root), ...branches, ...leaves.flat()];
}

async function sharedFolder(name: string, files: Readonly<Record<string, string>>): Promise<string> {
  const folder = join(cluster().folder, name);
  await mkdir(folder);
  for (const [file, text] of Object.entries(files)) await writeFile(join(folder, file), text);
  return folder;
}

async function groupAt(api: NodeApi, id: string): Promise<GroupView> {
  return expectStatus(await api.http.get(`/v1/groups/${id}`), 200).json<GroupView>();
}

/** All of them, the newest first. */
async function children(api: NodeApi, parent: string, filter = ''): Promise<readonly JobView[]> {
  const jobs: JobView[] = [];
  let page: Page<JobView> | null = null;
  do {
    const cursor = page?.nextCursor ?? null;
    page = await api.jobs(`${filter}parent=${parent}&limit=1000${cursor === null ? '' : `&cursor=${cursor}`}`);
    jobs.push(...page.items);
  } while (page.nextCursor !== null);
  return jobs;
}
