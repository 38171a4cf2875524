/** Numbers and times for people, as the Python side writes them. */

import type { Score } from './protocol';

const GROUPED = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });

/** Five significant digits, and no exponent for the sizes that metrics have. */
export function formatNumber(value: number): string {
  if (value === 0) {
    return '0';
  }
  if (Math.abs(value) >= 10_000) {
    return GROUPED.format(value);
  }
  const short = value.toPrecision(5);
  return short.includes('e') || !short.includes('.') ? short : short.replace(/\.?0+$/, '');
}

/** `+0.12` or `−0.12`, with a minus sign that is as wide as the plus. */
export function formatSigned(value: number): string {
  return `${value < 0 ? '−' : '+'}${formatNumber(Math.abs(value))}`;
}

/** `0.8123 ± 0.004`. */
export function formatScore(score: Score): string {
  const spread = score.spread > 0 ? ` ± ${formatNumber(score.spread)}` : '';
  return `${formatNumber(score.value)}${spread}${score.self_scored ? ' (self-scored)' : ''}`;
}

/** `42s`, `5m 03s` or `1h 05m`. */
export function formatSeconds(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const two = (value: number): string => String(value).padStart(2, '0');
  if (whole < 60) {
    return `${whole}s`;
  }
  if (whole < 3600) {
    return `${Math.floor(whole / 60)}m ${two(whole % 60)}s`;
  }
  return `${Math.floor(whole / 3600)}h ${two(Math.floor((whole % 3600) / 60))}m`;
}

/** Dollars. */
export function formatCost(cost: number): string {
  return `$${cost.toFixed(2)}`;
}

/** Where something happened: `branch 2`, or `ensembles`; "" where there is only one branch. */
export function formatBranch(branch: number | null, solutions: number): string {
  if (branch === null) {
    return '';
  }
  if (branch < 0) {
    return 'ensembles';
  }
  return solutions === 1 && branch === 0 ? '' : `branch ${branch + 1}`;
}
