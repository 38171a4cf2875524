import * as React from 'react';

import { formatNumber, formatScore, formatSeconds } from '../format';
import { standingOf } from '../selectors';
import type { Candidate, RunState } from '../state';
import { robustDomain, type Scale, scaleOf, ticksOf } from './scale';
import { countOf, useWidth } from './ui';

const HEIGHT = 170;
const PAD = { left: 50, right: 10, top: 8, bottom: 24 };
/** Pixels within which the pointer finds a candidate. */
const REACH = 24;

interface Point {
  readonly candidate: Candidate;
  readonly x: number;
  readonly y: number;
  /** Worse than what the chart shows: it lies on the edge. */
  readonly isOff: boolean;
}

interface Plot {
  readonly points: readonly Point[];
  readonly x: Scale;
  readonly y: Scale;
  readonly bests: string;
}

/** Scores over minutes, and the best so far. */
export function ScoreChart(props: {
  readonly run: RunState;
  readonly onOpen: (id: string) => void;
}): React.JSX.Element {
  const { run, onOpen } = props;
  const [box, width] = useWidth(300);
  const [at, setAt] = React.useState<number | null>(null);
  const { candidates, order, bests, greaterIsBetter } = run;
  const plot = React.useMemo(
    () => plotOf(run, width),
    // What else the run has makes no difference.
    // eslint-disable-next-line react-hooks/exhaustive-deps
    [candidates, order, bests, greaterIsBetter, width]
  );
  const { points } = plot;
  const id = React.useId();
  if (points.length === 0) {
    return <div ref={box}><p className="mlestar-Empty">No scores yet.</p></div>;
  }
  const index = at === null ? null : Math.min(at, points.length - 1);
  const shown = index === null ? undefined : points[index];

  const onKeyDown = (event: React.KeyboardEvent): void => {
    const now = index ?? points.length - 1;
    const moves: Record<string, number> = {
      ArrowRight: now + 1,
      ArrowUp: now + 1,
      ArrowLeft: now - 1,
      ArrowDown: now - 1,
      Home: 0,
      End: points.length - 1
    };
    const move = moves[event.key];
    const point = points[now];
    if (move !== undefined) {
      setAt(Math.max(0, Math.min(points.length - 1, move)));
    } else if (event.key === 'Enter' && point !== undefined) {
      onOpen(point.candidate.id);
    } else {
      return;
    }
    event.preventDefault();
  };
  return (
    <div className="mlestar-Chart" ref={box}>
      <div
        className="mlestar-Chart-cursor"
        role="slider"
        tabIndex={0}
        aria-label="Scores in the order of time. Arrow keys move, Enter opens the candidate."
        aria-describedby={id}
        aria-valuemin={1}
        aria-valuemax={points.length}
        aria-valuenow={(index ?? points.length - 1) + 1}
        aria-valuetext={wordsOf(run, shown ?? points.at(-1))}
        onKeyDown={onKeyDown}
        onFocus={event => {
          if (event.target.matches(':focus-visible')) {
            setAt(points.length - 1);
          }
        }}
        onBlur={() => {
          setAt(null);
        }}
        onMouseMove={event => {
          const { left, top } = event.currentTarget.getBoundingClientRect();
          setAt(nearest(points, event.clientX - left, event.clientY - top));
        }}
        onMouseLeave={() => {
          setAt(null);
        }}
        onClick={() => {
          if (shown !== undefined) {
            onOpen(shown.candidate.id);
          }
        }}
      >
        <Drawing plot={plot} width={width} metric={run.metric} />
        {shown !== undefined && <Tip run={run} point={shown} width={width} />}
      </div>
      <p id={id} className="mlestar-sr">
        {summaryOf(run, points.length)}
      </p>
    </div>
  );
}

const Drawing = React.memo(function Drawing(props: {
  readonly plot: Plot;
  readonly width: number;
  readonly metric: string;
}): React.JSX.Element {
  const { plot, width, metric } = props;
  const { points, x, y } = plot;
  const bottom = HEIGHT - PAD.bottom;
  const of = (isAblation: boolean): readonly Point[] =>
    points.filter(p => !p.isOff && (p.candidate.stage === 'ablate') === isAblation);
  return (
    <svg className="mlestar-Chart-svg" width={width} height={HEIGHT} aria-hidden focusable={false}>
      {ticksOf(y.from, y.to, 4).map(tick => (
        <g key={tick} className="mlestar-Chart-grid">
          <line x1={PAD.left} x2={width - PAD.right} y1={y.at(tick)} y2={y.at(tick)} />
          <text x={PAD.left - 6} y={y.at(tick) + 4} textAnchor="end">
            {formatNumber(tick)}
          </text>
        </g>
      ))}
      {ticksOf(x.from, x.to, width > 420 ? 6 : 4).map(tick => (
        <text key={tick} x={x.at(tick)} y={bottom + 15} textAnchor="middle">
          {tick === 0 ? '0 min' : formatNumber(tick)}
        </text>
      ))}
      <line className="mlestar-Chart-axis" x1={PAD.left} x2={width - PAD.right} y1={bottom} y2={bottom} />
      <title>{`${metric} over minutes`}</title>
      <path className="mlestar-Chart-off" d={arrows(points)} />
      <path className="mlestar-Chart-hollow" d={rings(of(true))} />
      <path className="mlestar-Chart-dots" d={of(false).map(p => `M${fix(p.x)},${fix(p.y)}h0`).join('')} />
      <path className="mlestar-Chart-best" d={plot.bests} />
    </svg>
  );
});

function Tip(props: {
  readonly run: RunState;
  readonly point: Point;
  readonly width: number;
}): React.JSX.Element {
  const { run, point, width } = props;
  const { candidate } = point;
  const isLeft = point.x > width / 2;
  return (
    <>
      <span className="mlestar-Chart-ring" style={{ left: point.x, top: point.y }} />
      <span
        className="mlestar-Chart-tip"
        style={{
          ...(isLeft ? { right: width - point.x + 10 } : { left: point.x + 10 }),
          ...(point.y > HEIGHT / 2 ? { bottom: HEIGHT - point.y - 4 } : { top: point.y - 4 })
        }}
      >
        <strong>{candidate.id}</strong> {candidate.title || candidate.stage}
        <br />
        {candidate.score !== null && formatScore(candidate.score)}
        <br />
        {standingOf(run, candidate)}, {formatSeconds(candidate.judged ?? candidate.proposed)}
      </span>
    </>
  );
}

function plotOf(run: RunState, width: number): Plot {
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
  const latest = Math.max(...scored.slice(-1).map(one => one.judged ?? 0), run.bests.at(-1)?.elapsed ?? 0, 1);
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

function nearest(points: readonly Point[], x: number, y: number): number | null {
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
function rings(points: readonly Point[]): string {
  return points.map(p => `M${fix(p.x - 2.5)},${fix(p.y)}a2.5,2.5 0 1 0 5,0a2.5,2.5 0 1 0 -5,0`).join('');
}

/** Arrowheads on the edge, for scores far worse than the others. */
function arrows(points: readonly Point[]): string {
  return points
    .filter(p => p.isOff)
    .map(p => {
      const way = p.y > HEIGHT / 2 ? 1 : -1;
      return `M${fix(p.x - 3.5)},${fix(p.y - 6 * way)}h7l-3.5,${6 * way}z`;
    })
    .join('');
}

function wordsOf(run: RunState, point: Point | undefined): string {
  if (point?.candidate.score == null) {
    return '';
  }
  const { candidate } = point;
  const score = candidate.score === null ? '' : formatScore(candidate.score);
  const when = formatSeconds(candidate.judged ?? 0);
  return `${candidate.id}, ${candidate.title || candidate.stage}: ${score}, ${standingOf(run, candidate)}, after ${when}`;
}

function summaryOf(run: RunState, count: number): string {
  const [first, last] = [run.bests[0], run.bests.at(-1)];
  const words = `${countOf(count, 'score')} of ${run.metric}, ${run.greaterIsBetter ? 'greater' : 'smaller'} is better.`;
  return first === undefined || last === undefined
    ? words
    : `${words} The best went from ${formatNumber(first.score)} to ${formatNumber(last.score)} by ${last.id}.`;
}

function fix(value: number): number {
  return Math.round(value * 10) / 10;
}
