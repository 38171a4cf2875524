import * as React from 'react';

import { formatNumber, formatScore, formatSeconds } from '../format';
import { standingOf } from '../selectors';
import type { RunState } from '../state';
import { decimalsNeeded, inColumn } from './columns';
import {
  arrows,
  fix,
  HEIGHT,
  nearest,
  PAD,
  type Plot,
  plotOf,
  type Point,
  rings,
  summaryOf,
  wordsOf
} from './plot';
import { ticksOf } from './scale';
import { useWidth } from './ui';

/** With so many candidates the dots are smaller. */
const CROWD = 300;

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
    return (
      <div ref={box}>
        <p className="mlestar-Empty">No scores yet.</p>
      </div>
    );
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
      <p className="mlestar-Legend" aria-hidden>
        <span>
          <span className="mlestar-tone-best">━</span> best so far
        </span>
        <span>
          <span className="mlestar-tone-busy">●</span> candidate
        </span>
        {points.some(point => point.candidate.stage === 'ablate') && <span>○ ablation</span>}
        {points.some(point => point.isOff) && (
          <span>
            <span className="mlestar-tone-bad">{greaterIsBetter ? '▼' : '▲'}</span> far worse
          </span>
        )}
      </p>
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
  const ticks = ticksOf(y.from, y.to, 4);
  const decimals = Math.max(...ticks.map(decimalsNeeded));
  return (
    <svg className="mlestar-Chart-svg" width={width} height={HEIGHT} aria-hidden focusable={false}>
      {ticks.map(tick => (
        <g key={tick} className="mlestar-Chart-grid">
          <line x1={PAD.left} x2={width - PAD.right} y1={y.at(tick)} y2={y.at(tick)} />
          <text x={PAD.left - 6} y={y.at(tick) + 4} textAnchor="end">
            {inColumn(tick, decimals)}
          </text>
        </g>
      ))}
      {ticksOf(x.from, x.to, width > 420 ? 6 : 4).map(tick => (
        <text key={tick} x={x.at(tick)} y={bottom + 15} textAnchor="middle">
          {tick === 0 ? '0 min' : formatNumber(tick)}
        </text>
      ))}
      <line
        className="mlestar-Chart-axis"
        x1={PAD.left}
        x2={width - PAD.right}
        y1={bottom}
        y2={bottom}
      />
      <title>{`${metric} over minutes`}</title>
      <path className="mlestar-Chart-off" d={arrows(points)} />
      <path className="mlestar-Chart-hollow" d={rings(of(true))} />
      <path
        className={`mlestar-Chart-dots${points.length > CROWD ? ' mlestar-mod-crowd' : ''}`}
        d={of(false)
          .map(p => `M${fix(p.x)},${fix(p.y)}h0`)
          .join('')}
      />
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
