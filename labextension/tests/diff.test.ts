import { describe, expect, it } from 'vitest';

import { diffLines, hunksOf, sizeOf } from '../src/components/diff';
import { robustDomain, ticksOf } from '../src/components/scale';

/** Lines with their signs, for reading. */
function signed(before: string, after: string): string[] {
  const signs = { same: ' ', added: '+', removed: '-' };
  return diffLines(before, after).map(({ kind, text }) => signs[kind] + text);
}

describe('a difference', () => {
  it('keeps what is common', () => {
    expect(signed('a\nb\nc\nd', 'a\nc\nx\nd\n')).toEqual([' a', '-b', ' c', '+x', ' d']);
  });

  it('says that lines were removed before it says what came instead', () => {
    expect(signed('a = 1\nb', 'a = 2\nb')).toEqual(['-a = 1', '+a = 2', ' b']);
  });

  it('works from nothing and to nothing', () => {
    expect(signed('', 'a\nb')).toEqual(['+a', '+b']);
    expect(signed('a', '')).toEqual(['-a']);
    expect(signed('', '')).toEqual([]);
    expect(signed('a\n', 'a')).toEqual([' a']);
  });

  it('gives both texts back', () => {
    const before = 'a\nb\na\nc\nb\nb\na';
    const after = 'c\nb\na\nb\na\nc';
    const lines = diffLines(before, after);
    const without = (kind: string): string =>
      lines.flatMap(line => (line.kind === kind ? [] : [line.text])).join('\n');
    expect(without('added')).toBe(before);
    expect(without('removed')).toBe(after);
    expect(lines.filter(line => line.kind === 'same')).toHaveLength(4);
  });

  it('does not take forever on long texts', () => {
    const long = (word: string): string =>
      Array.from({ length: 5000 }, (_, i) => `${word}${i}`).join('\n');
    expect(sizeOf(diffLines(long('a'), long('b')))).toEqual({ added: 5000, removed: 5000 });
  });

  it('leaves out what is far from any change', () => {
    const many = Array.from({ length: 20 }, (_, i) => `line ${i}`);
    const changed = many.with(10, 'changed');
    const hunks = hunksOf(diffLines(many.join('\n'), changed.join('\n')));
    expect(hunks.map(hunk => [hunk.kind, hunk.lines.length])).toEqual([
      ['gap', 7],
      ['lines', 8],
      ['gap', 6]
    ]);
  });
});

describe('axes', () => {
  it('have round ticks', () => {
    expect(ticksOf(0.289, 0.306, 4)).toEqual([0.29, 0.295, 0.3, 0.305]);
    expect(ticksOf(0, 7, 4)).toEqual([0, 2, 4, 6]);
    expect(ticksOf(1, 1, 4)).toEqual([1]);
  });

  it('are not flattened by very bad scores', () => {
    const { worst, best } = robustDomain([0.8, 0.81, 0.82, 0.79, -1e9], true);
    expect(worst).toBeGreaterThan(0.7);
    expect(best).toBeGreaterThan(0.82);
    const smaller = robustDomain([3, 4, 5], false);
    expect(smaller.worst).toBeGreaterThan(5);
    expect(smaller.best).toBeLessThan(3);
  });
});
