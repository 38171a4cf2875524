/** Numbers that stand below each other: all with the same decimals, so that their points line up. */

import type { RunState } from '../state';

const DIGITS = 5;
const MOST = 6;
/** From here on a number takes more room than a column has. */
const HUGE = 1e9;

/** Decimals for the scores of a run: five digits of the best one. */
export function decimalsOf(run: RunState): number {
  const id = run.best ?? run.order.find(each => run.candidates.get(each)?.score != null) ?? '';
  const size = Math.abs(run.candidates.get(id)?.score?.value ?? 0);
  const whole = size === 0 ? 1 : Math.floor(Math.log10(size)) + 1;
  return Math.min(MOST, Math.max(0, DIGITS - whole));
}

/** The decimals that a round number has. */
export function decimalsNeeded(value: number): number {
  return Math.min(MOST, String(value).split('.')[1]?.length ?? 0);
}

/** A number with so many decimals. */
export function inColumn(value: number, decimals: number): string {
  if (Math.abs(value) >= HUGE) {
    return value.toExponential(2);
  }
  return value
    .toLocaleString('en-US', { minimumFractionDigits: decimals, maximumFractionDigits: decimals })
    .replace('-', '−');
}

/** A difference of two scores: its sign always, and one decimal less than they have. */
export function gainInColumn(gain: number, decimals: number): string {
  return `${gain < 0 ? '' : '+'}${inColumn(gain, Math.max(0, decimals - 1))}`;
}

/** Two digits of a spread say enough. */
export function shortSpread(spread: number): string {
  return spread >= 100
    ? Math.round(spread).toLocaleString('en-US')
    : String(Number(spread.toPrecision(2)));
}
