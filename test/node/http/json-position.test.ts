import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalJson } from '../../../node/http/canonical-json.ts';
import { jsonErrorPosition } from '../../../node/http/json-position.ts';

describe('the position of a mistake in JSON', () => {
  it.each([
    ['', 0],
    ['{"a":x}', 5],
    ['{"a":tru }', 5],
    ['[1,]', 3],
    ['[1 2]', 3],
    ['{"a":1,}', 7],
    ['{"a" 1}', 5],
    ['{a:1}', 1],
    ['{"a":1}}', 7],
    ['[01]', 2],
    ['"a\nb"', 2],
    ['"a\\x"', 2],
    ['"open', 5],
    ['{"a":[1,{"b":', 13],
    ['[}', 1],
    ['\u00a01', 0],
  ])('in %j is %i', (text, position) => {
    expect(() => JSON.parse(text)).toThrow();
    expect(jsonErrorPosition(text)).toBe(position);
  });

  it('is none in anything that is JSON', () => {
    fc.assert(
      fc.property(fc.json(), fc.constantFrom(0, 2), (text, indent) => {
        expect(jsonErrorPosition(JSON.stringify(JSON.parse(text), null, indent))).toBeNull();
      }),
    );
  });

  it('is found exactly where the parser refuses', () => {
    fc.assert(
      fc.property(
        fc.json(),
        fc.nat(),
        fc.constantFrom('', '}', ']', ',', '"', '\\', '0', ' ', 'x'),
        (text, at, put) => {
          const cut = at % (text.length + 1);
          const spoilt = text.slice(0, cut) + put + text.slice(cut + 1);
          expect(jsonErrorPosition(spoilt) === null).toBe(isJson(spoilt));
        },
      ),
      { numRuns: 2_000 },
    );
  });
});

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

describe('canonical JSON', () => {
  it('is one text for equal values in whatever order of keys, and is JSON of the same value', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (value) => {
        const turned = Object.fromEntries(Object.entries(value).toReversed());
        expect(canonicalJson(turned)).toBe(canonicalJson(value));
        expect(JSON.parse(canonicalJson(value))).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });

  it('keeps the order of arrays and leaves out what is undefined', () => {
    expect(canonicalJson({ b: [2, 1], a: undefined })).toBe('{"b":[2,1]}');
  });
});
