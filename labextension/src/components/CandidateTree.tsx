import * as React from 'react';

import { formatScore } from '../format';
import { standingOf, type TreeLine, treeLines } from '../selectors';
import type { RunState } from '../state';
import { decimalsOf, gainInColumn, inColumn, shortSpread } from './columns';
import { Twisty } from './Icon';
import { Mark, whatOf } from './marks';
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
  const decimals = React.useMemo(() => decimalsOf(run), [run]);
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
        row={index => (
          <Line run={run} line={lines[index]} collapsed={collapsed} decimals={decimals} />
        )}
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

/** Standings in which a gain is one that the run has taken. */
const TAKEN: ReadonlySet<string> = new Set(['best', 'incumbent', 'accepted']);

function Line(props: {
  readonly run: RunState;
  readonly line: TreeLine | undefined;
  readonly collapsed: ReadonlySet<string>;
  readonly decimals: number;
}): React.JSX.Element | null {
  const { run, line, collapsed, decimals } = props;
  if (line === undefined) {
    return null;
  }
  const { candidate, depth, hasChildren } = line;
  const { id, score, gain, status } = candidate;
  const standing = standingOf(run, candidate);
  const what = whatOf(candidate);
  const tip = score === null ? candidate.reason || (status ?? '') : formatScore(score);
  const isTaken = gain !== null && gain > 0 && TAKEN.has(standing);
  return (
    <div
      className={`mlestar-Tree-line${standing === 'best' ? ' mlestar-mod-best' : ''}`}
      style={{ paddingLeft: `calc(${Math.min(depth, DEEPEST)} * var(--mlestar-indent))` }}
      title={`${id} ${what}\n${tip}`}
    >
      {hasChildren ? (
        <Twisty isOpen={!collapsed.has(id)} isClickable />
      ) : (
        <span className="mlestar-Twisty" />
      )}
      <Mark standing={standing} />
      <span className="mlestar-Tree-id">{id}</span>
      <span className="mlestar-Tree-title">{what}</span>
      {score === null ? (
        <span className={`mlestar-Tree-status mlestar-tone-${status === null ? 'busy' : 'faint'}`}>
          {(status ?? 'under way').replaceAll('_', ' ')}
        </span>
      ) : (
        <>
          <span className="mlestar-Tree-score">{inColumn(score.value, decimals)}</span>
          <span className="mlestar-Tree-spread">
            {score.spread > 0 && `± ${shortSpread(score.spread)}`}
          </span>
          <span className={`mlestar-Tree-gain mlestar-tone-${isTaken ? 'good' : 'faint'}`}>
            {gain !== null && gainInColumn(gain, decimals)}
          </span>
        </>
      )}
    </div>
  );
}
