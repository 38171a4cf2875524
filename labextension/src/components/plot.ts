/** Where the parts of the chart lie. Pure functions. */

import { formatNumber, formatScore, formatSeconds } from '../format';
import { standingOf } from '../selectors';
import type { Candidate, RunState } from '../state';
import { robustDomain, type Scale, scaleOf } from './scale';
import { countOf } from './ui';

/** Pixels. */
export const HEIGHT = 170;
export const PAD = { left: 50, right: 10, top: 8, bottom: 24 };
/** Pixels within which the pointer finds a candidate. */
const REACH = 24;

export interface Point {
  readonly candidate: Candidate;
  readonly x: number;
  readonly y: number;
  /** Worse than what the chart shows: it lies on the edge. */
  readonly isOff: boolean;
}

export interface Plot {
  readonly points: readonly Point[];
  readonly x: Scale;
  readonly y: Scale;
  readonly bests: string;
}

/** A run's scores, laid out in a chart of some width. */
export function plotOf(run: RunState, width: number): Plot {
  const scored: Candidate[] = [];
  for (const id of run.order) {
    const candidate = run.candidates.get(id);
    if (candidate?.score != null && candidate.judged !== null) {
      scored.push(candidate);
    }
  }
  scored.sort((one, other) => (one.judged ?? 0) - (other.judged ?? 0));
  const domain = robustDomain(
    scored.map(candidate => candidate.score?.value ?? 0),
    run.greaterIsBetter
  );
  const low = Math.min(domain.worst, domain.best);
  const high = Math.max(domain.worst, domain.best);
  const latest = Math.max(
    ...scored.slice(-1).map(one => one.judged ?? 0),
    run.bests.at(-1)?.elapsed ?? 0,
    1
  );
  const x = scaleOf(0, (latest / 60) * 1.02, PAD.left, width - PAD.right);
  const y = scaleOf(low, high, HEIGHT - PAD.bottom, PAD.top);
  const points = scored.map((candidate): Point => {
    const value = candidate.score?.value ?? 0;
    const inside = Math.min(high, Math.max(low, value));
    return {
      candidate,
      x: x.at((candidate.judged ?? 0) / 60),
      y: y.at(inside),
      isOff: inside !== value
    };
  });
  const steps = run.bests.map(best => ({
    x: fix(x.at(best.elapsed / 60)),
    y: fix(y.at(Math.min(high, Math.max(low, best.score))))
  }));
  const path = steps.map((step, i) => (i === 0 ? `M${step.x},${step.y}` : `H${step.x}V${step.y}`));
  const end = steps.length === 0 ? '' : `H${fix(x.at(x.to))}`;
  return { points, x, y, bests: path.join('') + end };
}

/** The point that the pointer means; null if none is near. */
export function nearest(points: readonly Point[], x: number, y: number): number | null {
  let found: number | null = null;
  let least = REACH * REACH;
  points.forEach((point, i) => {
    const distance = (point.x - x) ** 2 + (point.y - y) ** 2;
    if (distance <= least) {
      least = distance;
      found = i;
    }
  });
  return found;
}

/** Rings around points, as one path: thousands of elements would be slow. */
export function rings(points: readonly Point[]): string {
  return points
    .map(p => `M${fix(p.x - 2.5)},${fix(p.y)}a2.5,2.5 0 1 0 5,0a2.5,2.5 0 1 0 -5,0`)
    .join('');
}

/** Arrowheads on the edge, for scores far worse than the others. */
export function arrows(points: readonly Point[]): string {
  return points
    .filter(p => p.isOff)
    .map(p => {
      const way = p.y > HEIGHT / 2 ? 1 : -1;
      return `M${fix(p.x - 3.5)},${fix(p.y - 6 * way)}h7l-3.5,${6 * way}z`;
    })
    .join('');
}

/** A point, for a screen reader. */
export function wordsOf(run: RunState, point: Point | undefined): string {
  if (point?.candidate.score == null) {
    return '';
  }
  const { candidate } = point;
  const score = candidate.score === null ? '' : formatScore(candidate.score);
  const when = formatSeconds(candidate.judged ?? 0);
  return `${candidate.id}, ${candidate.title || candidate.stage}: ${score}, ${standingOf(run, candidate)}, after ${when}`;
}

/** The whole chart, for a screen reader. */
export function summaryOf(run: RunState, count: number): string {
  const [first, last] = [run.bests[0], run.bests.at(-1)];
  const words = `${countOf(count, 'score')} of ${run.metric}, ${run.greaterIsBetter ? 'greater' : 'smaller'} is better.`;
  return first === undefined || last === undefined
    ? words
    : `${words} The best went from ${formatNumber(first.score)} to ${formatNumber(last.score)} by ${last.id}.`;
}

/** A tenth of a pixel is fine enough. */
export function fix(value: number): number {
  return Math.round(value * 10) / 10;
}
