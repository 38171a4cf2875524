import * as React from 'react';

import { formatNumber, formatScore, formatSigned } from '../format';
import { standingOf, type TreeLine, treeLines } from '../selectors';
import type { RunState } from '../state';
import { Mark } from './marks';
import { countOf } from './ui';
import { VirtualList } from './VirtualList';

const ROW = 26;
const HEIGHT = 338;
/** Levels that are indented; deeper ones stay in line. */
const DEEPEST = 6;

/** The candidates, each below its first parent. */
export function CandidateTree(props: {
  readonly run: RunState;
  readonly onOpen: (id: string) => void;
}): React.JSX.Element {
  const { run, onOpen } = props;
  const [collapsed, setCollapsed] = React.useState<ReadonlySet<string>>(new Set());
  const [withAblations, setWithAblations] = React.useState(false);
  const [activeId, setActiveId] = React.useState<string | null>(null);
  const { candidates, roots, children } = run;
  const lines = React.useMemo(
    () => treeLines(run, { withAblations, collapsed }),
    // What else the run has makes no difference.
    // eslint-disable-next-line react-hooks/exhaustive-deps
    [candidates, roots, children, withAblations, collapsed]
  );
  const active = Math.max(
    0,
    lines.findIndex(line => line.candidate.id === activeId)
  );

  if (run.order.length === 0) {
    return <p className="mlestar-Empty">No candidates yet. They appear here as they are made.</p>;
  }

  const toggle = (index: number, isOpen?: boolean): boolean => {
    const line = lines[index];
    if (line?.hasChildren !== true) {
      return false;
    }
    const next = new Set(collapsed);
    if (isOpen ?? next.has(line.candidate.id)) {
      next.delete(line.candidate.id);
    } else {
      next.add(line.candidate.id);
    }
    setActiveId(line.candidate.id);
    setCollapsed(next);
    return true;
  };
  const onKey = (key: string, index: number): boolean => {
    const line = lines[index];
    if (line === undefined) {
      return false;
    }
    const isClosed = collapsed.has(line.candidate.id);
    if (key === 'ArrowRight') {
      return isClosed && toggle(index, true);
    }
    if (key === 'ArrowLeft') {
      if (line.hasChildren && !isClosed) {
        return toggle(index, false);
      }
      setActiveId(line.candidate.parents[0] ?? line.candidate.id);
      return true;
    }
    return key === ' ' && toggle(index);
  };
  return (
    <>
      <VirtualList
        className="mlestar-Tree"
        role="tree"
        label={`Candidates: ${countOf(lines.length, 'row')}. Enter opens one.`}
        count={lines.length}
        rowHeight={ROW}
        height={HEIGHT}
        active={active}
        onActive={index => {
          setActiveId(lines[index]?.candidate.id ?? null);
        }}
        onOpen={index => {
          const line = lines[index];
          if (line !== undefined) {
            onOpen(line.candidate.id);
          }
        }}
        onPart={index => {
          toggle(index);
        }}
        onKey={onKey}
        attributes={index => attributesOf(lines[index], collapsed)}
        row={index => <Line run={run} line={lines[index]} collapsed={collapsed} />}
      />
      {run.studies.length > 0 && (
        <label className="mlestar-Check">
          <input
            type="checkbox"
            checked={withAblations}
            onChange={event => {
              setWithAblations(event.target.checked);
            }}
          />
          with the variants of ablation studies
        </label>
      )}
    </>
  );
}

function attributesOf(
  line: TreeLine | undefined,
  collapsed: ReadonlySet<string>
): React.HTMLAttributes<HTMLDivElement> {
  if (line === undefined) {
    return {};
  }
  const isOpen = line.hasChildren ? !collapsed.has(line.candidate.id) : undefined;
  return { 'aria-level': line.depth + 1, 'aria-expanded': isOpen };
}

function Line(props: {
  readonly run: RunState;
  readonly line: TreeLine | undefined;
  readonly collapsed: ReadonlySet<string>;
}): React.JSX.Element | null {
  const { run, line, collapsed } = props;
  if (line === undefined) {
    return null;
  }
  const { candidate, depth, hasChildren } = line;
  const { score, gain } = candidate;
  // Refinements of one candidate have its title: what tells them apart is the block.
  const what = [candidate.block, candidate.title || candidate.stage].filter(Boolean).join(': ');
  const tip = score === null ? candidate.reason || (candidate.status ?? '') : formatScore(score);
  return (
    <div
      className="mlestar-Tree-line"
      style={{ paddingLeft: `calc(${Math.min(depth, DEEPEST)} * var(--mlestar-indent))` }}
      title={`${candidate.id} ${what}\n${tip}`}
    >
      <span className="mlestar-Twisty" data-part={hasChildren ? 'twisty' : undefined} aria-hidden>
        {hasChildren ? (collapsed.has(candidate.id) ? '▸' : '▾') : ''}
      </span>
      <Mark standing={standingOf(run, candidate)} />
      <span className="mlestar-Tree-id">{candidate.id}</span>
      <span className="mlestar-Tree-title">{what}</span>
      <span className="mlestar-Tree-score">
        {score === null
          ? (candidate.status ?? '…').replaceAll('_', ' ')
          : formatNumber(score.value)}
      </span>
      <span className="mlestar-Tree-spread">
        {score !== null && score.spread > 0 && `± ${score.spread.toPrecision(2)}`}
      </span>
      <span
        className={`mlestar-Tree-gain mlestar-tone-${gain === null ? 'faint' : gain > 0 ? 'good' : 'plain'}`}
      >
        {gain !== null && shortGain(gain)}
      </span>
    </div>
  );
}

/** A gain is a difference: two digits of it say enough, and a tiny one is written short. */
function shortGain(gain: number): string {
  const size = Math.abs(gain);
  if (size > 0 && size < 1e-4) {
    return `${gain < 0 ? '−' : '+'}${size.toExponential(0).replace('-', '−')}`;
  }
  return formatSigned(Number(gain.toPrecision(2)));
}
