/** How far a run is: stages, branches, time, candidates, cost. */

import * as React from 'react';

import { formatBranch, formatCost, formatSeconds } from '../format';
import type { Stage } from '../protocol';
import { elapsedAt, hasEnded, STAGES, targetsNow } from '../selectors';
import type { RunState, StageSpan } from '../state';
import { decimalsOf, inColumn } from './columns';
import { CandidateLink } from './marks';
import { countOf, Meter, useNow } from './ui';

/** No panel is wider than so many characters. */
const WRITTEN = 200;

type StageState = 'done' | 'now' | 'left';

const WORDS: Readonly<Record<StageState, string>> = {
  done: 'done',
  now: 'under way',
  left: 'not begun'
};

/** The six stages, and what each branch is at. */
export function StageTimeline(props: {
  readonly run: RunState;
  readonly onOpen: (id: string) => void;
}): React.JSX.Element {
  const { run } = props;
  return (
    <>
      <ol className="mlestar-Stages" aria-label="Stages">
        {STAGES.map(stage => {
          const spans = run.stages.filter(span => span.stage === stage);
          const state = stateOf(run, spans);
          return (
            <li
              key={stage}
              className={`mlestar-Stage mlestar-mod-${state}`}
              aria-current={state === 'now' ? 'step' : undefined}
              title={`${stage}: ${WORDS[state]}`}
            >
              <span className="mlestar-Stage-name">{stage}</span>
              <span className="mlestar-sr">{WORDS[state]}</span>
              <span className="mlestar-Stage-length">
                {state === 'left' ? '' : lengthOf(spans) || '…'}
              </span>
            </li>
          );
        })}
      </ol>
      <Branches {...props} />
    </>
  );
}

function stateOf(run: RunState, spans: readonly StageSpan[]): StageState {
  if (spans.some(span => span.until === null)) {
    return hasEnded(run) ? 'done' : 'now';
  }
  return spans.length > 0 ? 'done' : 'left';
}

/** Branches go through a stage side by side: from the first that begins to the last that ends. */
function lengthOf(spans: readonly StageSpan[]): string {
  const from = Math.min(...spans.map(span => span.from));
  const ends = spans.flatMap(span => (span.until === null ? [] : [span.until]));
  return ends.length < spans.length ? '' : formatSeconds(Math.max(...ends) - from);
}

function Branches(props: {
  readonly run: RunState;
  readonly onOpen: (id: string) => void;
}): React.JSX.Element | null {
  const { run, onOpen } = props;
  const branches = [...run.incumbents.keys()].filter(branch => branch >= 0).sort();
  const targets = targetsNow(run);
  const decimals = decimalsOf(run);
  if (branches.length === 0) {
    return null;
  }
  return (
    <ul className="mlestar-Branches" aria-label="Branches">
      {branches.map(branch => {
        const id = run.incumbents.get(branch) ?? '';
        const score = run.candidates.get(id)?.score;
        const spans = run.stages.filter(span => span.branch === branch && span.until === null);
        const stage: Stage | undefined = hasEnded(run) ? undefined : spans.at(-1)?.stage;
        const target = targets.get(branch);
        return (
          <li key={branch}>
            <span className="mlestar-Branch-name">
              {formatBranch(branch, branches.length) || 'incumbent'}
            </span>
            <CandidateLink run={run} id={id} onOpen={onOpen} />
            <span className="mlestar-number">
              {score != null && inColumn(score.value, decimals)}
            </span>
            <span className="mlestar-Branch-at">
              {stage}
              {stage === 'refine' && target !== undefined && (
                <>
                  {' '}
                  <code>{target}</code>
                </>
              )}
            </span>
          </li>
        );
      })}
    </ul>
  );
}

/** What agents are writing just now: the end of it, in a line for each. */
export function Writings({ run }: { readonly run: RunState }): React.JSX.Element | null {
  if (run.writing.size === 0) {
    return null;
  }
  const branches = run.settings?.solutions ?? 1;
  return (
    <ul className="mlestar-Writings" aria-label="What agents write">
      {[...run.writing].map(([key, { role, branch, text }]) => (
        <li key={key}>
          <span className="mlestar-Writing-role">
            {role.replaceAll('_', ' ')} {formatBranch(branch, branches)}
          </span>
          {/* Written from right to left, so that what is cut off is its beginning. */}
          <span className="mlestar-Writing-text" dir="rtl">
            <bdi dir="ltr">{text.slice(-WRITTEN).replace(/\s+/g, ' ')}</bdi>
          </span>
        </li>
      ))}
    </ul>
  );
}

/** Time, candidates, and cost when there is one. */
export function Meters({ run }: { readonly run: RunState }): React.JSX.Element {
  const { clock, counts, settings, spent } = run;
  const elapsed = elapsedAt(clock, useNow(clock.isGoing));
  const limit = settings?.cost;
  const cost = spent?.cost ?? 0;
  const words = [
    countOf(counts.candidates, 'candidate'),
    `${counts.scored} scored`,
    counts.ablations > 0 ? countOf(counts.ablations, 'ablation') : '',
    counts.underWay > 0 ? `${counts.underWay} under way` : ''
  ];
  return (
    <div className="mlestar-Meters">
      <Meter
        label="Time"
        value={elapsed}
        max={clock.limit}
        text={`${formatSeconds(elapsed)} of ${formatSeconds(clock.limit)}`}
        isGoing={clock.isGoing}
      >
        <span className="mlestar-Counts">
          {words.filter(Boolean).join(' · ')}
          {spent !== null && typeof limit !== 'number' && ` · ${formatCost(spent.cost)}`}
          {spent !== null && ` · ${spent.tokens.toLocaleString('en-US')} tokens`}
        </span>
      </Meter>
      {typeof limit === 'number' && (
        <Meter
          label="Cost"
          value={cost}
          max={limit}
          text={`${formatCost(cost)} of ${formatCost(limit)}`}
          isGoing={clock.isGoing}
        />
      )}
    </div>
  );
}
