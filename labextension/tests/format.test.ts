import { describe, expect, it } from 'vitest';

import { formatBranch, formatNumber, formatSeconds, formatSigned } from '../src/format';

describe('numbers for people', () => {
  it.each([
    [0, '0'],
    [0.81234567, '0.81235'],
    [60, '60'],
    [58.3, '58.3'],
    [1234.5678, '1234.6'],
    [9999.96, '10000'],
    [123456.7, '123,457'],
    [1e-7, '1.0000e-7']
  ])('%d is %s', (value, words) => {
    expect(formatNumber(value)).toBe(words);
  });

  it('have a sign that is as wide as the plus', () => {
    expect(formatSigned(-0.5)).toBe('−0.5');
    expect(formatSigned(12)).toBe('+12');
  });

  it.each([
    [42.4, '42s'],
    [303, '5m 03s'],
    [3900, '1h 05m']
  ])('%d seconds are %s', (seconds, words) => {
    expect(formatSeconds(seconds)).toBe(words);
  });

  it('name branches where there are several', () => {
    expect([formatBranch(0, 1), formatBranch(1, 2), formatBranch(-1, 2)]).toEqual([
      '',
      'branch 2',
      'ensembles'
    ]);
  });
});
