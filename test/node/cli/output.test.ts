import { PassThrough, Writable } from 'node:stream';
import { WriteStream } from 'node:tty';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Output } from '../../../node/cli/output.ts';
import { FakeTerminal } from '../../support/fake-terminal.ts';

function failing(code: string): Writable {
  return new Writable({ write: (_chunk, _encoding, done) => done(Object.assign(new Error(code), { code })) });
}

describe('an output', () => {
  it('drops what comes once nobody reads any more', async () => {
    const output = new Output(failing('EPIPE'));
    await output.line('one');
    await output.flush();
    expect(output.closed).toBe(true);
    await output.line('two');
    await output.flush();
  });

  it('throws anything else that goes wrong with it, under its name', async () => {
    const output = new Output(failing('ENOSPC'), 'standard output');
    await output.line('one').catch(() => undefined);
    await expect(output.flush()).rejects.toMatchObject({ code: 'ENOSPC', path: 'standard output' });
    await expect(output.line('two')).rejects.toMatchObject({ code: 'ENOSPC' });
  });

  it('knows the size of a terminal, and of nothing else', () => {
    const terminal = new Output(new FakeTerminal({ columns: 70, rows: 7 }));
    expect([terminal.columns, terminal.rows]).toEqual([70, 7]);
    const pipe = new Output(Object.assign(new PassThrough(), { columns: 70, rows: 7 }));
    expect([pipe.columns, pipe.rows]).toEqual([null, null]);
  });
});

describe('colour', () => {
  const names = ['NO_COLOR', 'FORCE_COLOR', 'NODE_DISABLE_COLORS', 'TERM', 'CI'] as const;
  const before = names.map((name) => [name, process.env[name]] as const);

  beforeEach(() => {
    for (const name of names) delete process.env[name];
    process.env['TERM'] = 'xterm';
  });

  afterEach(() => {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  });

  const { getColorDepth } = WriteStream.prototype;
  const terminal = () => Object.assign(new FakeTerminal(), { getColorDepth });

  it('is for terminals', () => {
    expect(new Output(terminal()).paint('red', 'x')).toBe('\u001b[31mx\u001b[39m');
    expect(new Output(terminal()).paint('plain', 'x')).toBe('x');
    expect(new Output(new PassThrough()).paint('red', 'x')).toBe('x');
  });

  it('is left out where NO_COLOR is set', () => {
    process.env['NO_COLOR'] = '1';
    expect(new Output(terminal()).paint('red', 'x')).toBe('x');
  });
});
