import { describe, expect, it } from 'vitest';
import { checkBatchLine, checkJobSpec } from '../../../src/jobs/edge.ts';
import { LATER_FIELDS } from '../../../src/jobs/spec.ts';

const refusal = (code: string, field?: string) =>
  expect.objectContaining({ code, details: field === undefined ? {} : { field } });

describe('checkJobSpec', () => {
  it('takes a spec as the contract shows it', () => {
    const spec = {
      command: ['sh', '-c', 'make test'],
      name: 'unit tests',
      project: 'default',
      queue: 'default',
      labels: { team: 'core' },
      env: { CI: '1' },
      workdir: 'sub/dir',
      stdin: 'text',
      resources: { cpu: 1, memory: '1GiB', gpu: 0, disk: '2GiB', custom: { license: 1 } },
      constraints: ['os == linux', 'arch in (amd64, arm64)', 'pool != spot'],
      priority: 50,
      timeout: '10m',
      queueTimeout: '1h',
      idleTimeout: '1s',
      retention: '365d',
      notBefore: '2030-01-01T00:00:00Z',
      retry: {
        max: 2,
        on: ['failed', 'timedOut'],
        exitCodes: [75],
        backoff: { initial: '1s', factor: 2, max: '1m' },
        lostMax: 3,
      },
    };
    expect(checkJobSpec(spec)).toEqual(spec);
  });

  it.each([
    [null, undefined],
    [[], undefined],
    ['text', undefined],
    [{}, 'command'],
    [{ command: 'ls' }, 'command'],
    [{ command: [] }, 'command'],
    [{ command: ['a', 7] }, 'command[1]'],
    [{ command: ['a\0b'] }, 'command[0]'],
    [{ command: ['x'], resources: { memory: '1 elephant' } }, 'resources.memory'],
    [{ command: ['x'], resources: { cpu: -1 } }, 'resources.cpu'],
    [{ command: ['x'], timeout: 'soon' }, 'timeout'],
    [{ command: ['x'], timeout: '31d' }, 'timeout'],
    [{ command: ['x'], timeout: '0s' }, 'timeout'],
    [{ command: ['x'], queueTimeout: '400d' }, 'queueTimeout'],
    [{ command: ['x'], idleTimeout: '999ms' }, 'idleTimeout'],
    [{ command: ['x'], retention: '999ms' }, 'retention'],
    [{ command: ['x'], retention: '366d' }, 'retention'],
    [{ command: ['x'], retry: { max: 1, backoff: { max: '31d' } } }, 'retry.backoff.max'],
    [{ command: ['x'], constraints: ['os = linux'] }, 'constraints[0]'],
    [{ command: ['x'], workdir: '../up' }, 'workdir'],
    [{ command: ['x'], workdir: 'a'.repeat(256) }, 'workdir'],
    [{ command: ['x'], workdir: 'a/'.repeat(600) }, 'workdir'],
    [{ command: ['x', 'half \ud800'] }, 'command[1]'],
    [{ command: ['x'], stdin: '\udc00' }, 'stdin'],
    [{ command: ['x'], env: { A: '\ud800' } }, 'env.A'],
    [{ command: ['x'], env: { '1A': 'x' } }, 'env.1A'],
    [{ command: ['x'], priority: 101 }, 'priority'],
    [{ command: ['x'], notBefore: 'tomorrow' }, 'notBefore'],
    [{ command: ['x'], retry: 'always' }, 'retry'],
    [{ command: ['x'], retry: { max: 'many' } }, 'retry.max'],
  ])('refuses %j and tells the field %s', (input, field) => {
    expect(() => checkJobSpec(input)).toThrow(refusal('invalidRequest', field));
  });

  it.each([
    [{ command: ['x'], comand: 1 }, 'comand'],
    [{ command: ['x'], resources: { cpus: 1 } }, 'resources.cpus'],
    [{ command: ['x'], retry: { max: 1, backoff: { jitter: 1 } } }, 'retry.backoff.jitter'],
    [{ command: ['x'], retry: { maximum: 1 } }, 'retry.maximum'],
  ])('knows no other fields: %j', (input, field) => {
    expect(() => checkJobSpec(input)).toThrow(refusal('unknownField', field));
  });

  it.each(LATER_FIELDS)('tells that %s is not served yet', (field) => {
    expect(() => checkJobSpec({ command: ['x'], [field]: 'anything' })).toThrow(refusal('notSupported', field));
  });

  it.each(['{"__proto__":1,"command":["x"]}', '{"command":["x"],"env":{"__proto__":"x"}}'])(
    'drops nothing without a word: %s',
    (text) => {
      expect(() => checkJobSpec(JSON.parse(text))).toThrow(expect.objectContaining({ code: 'unknownField' }));
    },
  );

  it('takes text that is Unicode as a whole', () => {
    const spec = { command: ['echo', '💡 é'], workdir: `${'é'.repeat(127)}/${'a'.repeat(255)}` };
    expect(checkJobSpec(spec)).toEqual(spec);
  });

  it('tells what a retry may be', () => {
    expect(() => checkJobSpec({ command: ['x'], retry: 'always' })).toThrow(/must be "never" or .* max, on, exitCodes/);
  });

  it('tells what the name of a variable may be', () => {
    expect(() => checkJobSpec({ command: ['x'], env: { 'A=B': 'x' } })).toThrow(/the name of a variable/);
  });

  it('tells what is wrong with a constraint', () => {
    expect(() => checkJobSpec({ command: ['x'], constraints: ['os == linux', 'os !'] })).toThrow(/column 4/);
  });
});

describe('checkBatchLine', () => {
  it('takes a name, and names in the place of ids', () => {
    const line = { command: ['x'], ref: 'a b', dependsOn: [{ ref: 'c', on: 'failed' }] };
    expect(checkBatchLine(line)).toEqual(line);
  });

  it.each([
    [{ command: ['x'], ref: 'a' }, 'ref'],
    [{ command: ['x'], dependsOn: [{ ref: 'a' }] }, 'dependsOn[0].ref'],
  ])('alone does: elsewhere %j is refused for its name', (spec, field) => {
    expect(() => checkJobSpec(spec)).toThrow(refusal('unknownField', field));
    expect(() => checkJobSpec(spec)).toThrow(/say the id of a job/);
  });
});
