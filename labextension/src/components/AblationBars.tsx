import * as React from 'react';

import { formatNumber, formatSeconds, formatSigned } from '../format';
import type { AblationResult } from '../protocol';
import { latestStudy } from '../selectors';
import type { RunState, Study } from '../state';
import { Button } from './Button';
import { Icon } from './Icon';
import { CandidateLink } from './marks';

/** What each block is worth, as measured. A click on one pins its block. */
export function AblationBars(props: {
  readonly run: RunState;
  readonly onPin: (block: string | null) => void;
  readonly onOpen: (id: string) => void;
  /** Why nothing can be pinned now; "" if it can. */
  readonly obstacle: string;
}): React.JSX.Element {
  const { run, onPin, onOpen, obstacle } = props;
  const [chosen, setChosen] = React.useState<number | null>(null);
  const study = run.studies.find(each => each.seq === chosen) ?? latestStudy(run);
  if (study === null) {
    return (
      <p className="mlestar-Empty">
        No ablation study yet. It measures what each block of a solution is worth.
      </p>
    );
  }
  const results = [...study.results].sort((one, other) => worthOf(other) - worthOf(one));
  const largest = Math.max(...results.map(({ gain }) => Math.abs(gain ?? 0)), 0);
  const bounds = boundsOf(results, largest);
  return (
    <div className="mlestar-Ablation">
      <div className="mlestar-Ablation-head">
        <span>
          What each block of <CandidateLink run={run} id={study.candidate} onOpen={onOpen} /> is
          worth
        </span>
        {run.studies.length > 1 && (
          <Choice studies={run.studies} chosen={study.seq} onChoose={setChosen} />
        )}
      </div>
      <ul
        className="mlestar-Ablation-rows"
        aria-label={`What the blocks of ${study.candidate} are worth`}
      >
        {results.map(result => (
          <li key={result.candidate}>
            <Bar
              result={result}
              bounds={bounds}
              isPinned={run.pinned === result.block}
              obstacle={obstacle}
              onPin={onPin}
            />
          </li>
        ))}
      </ul>
      {run.pinned !== null && (
        <p className="mlestar-Pinned">
          <span>
            <Icon name="pin" /> next target: <code>{run.pinned}</code>
          </span>
          <Button
            label="Take the pin back"
            obstacle={obstacle}
            onPress={() => {
              onPin(null);
            }}
          />
        </p>
      )}
    </div>
  );
}

interface Bounds {
  /** Where zero lies, and how many percent one unit of gain takes. */
  readonly zero: number;
  readonly unit: number;
}

function boundsOf(results: readonly AblationResult[], largest: number): Bounds {
  const low = Math.min(0, ...results.map(({ gain }) => gain ?? 0));
  const high = Math.max(0, ...results.map(({ gain }) => gain ?? 0));
  const span = high - low || largest || 1;
  return { zero: (-low / span) * 100, unit: 100 / span };
}

function Bar(props: {
  readonly result: AblationResult;
  readonly bounds: Bounds;
  readonly isPinned: boolean;
  readonly obstacle: string;
  readonly onPin: (block: string | null) => void;
}): React.JSX.Element {
  const { result, bounds, isPinned, obstacle, onPin } = props;
  const { block, change, gain, score } = result;
  const value = gain === null ? 'no score' : formatSigned(Number(gain.toPrecision(3)));
  const width = Math.abs(gain ?? 0) * bounds.unit;
  const meaning =
    gain === null ? 'without it there is no score' : gain > 0 ? 'it helps' : 'it does not help';
  const without = score === null ? '' : `; the score without is ${formatNumber(score)}`;
  const todo = isPinned ? 'Press to take the pin back.' : 'Press to refine it next.';
  return (
    <button
      type="button"
      className={`mlestar-Bar${isPinned ? ' mlestar-mod-pinned' : ''}`}
      aria-pressed={isPinned}
      aria-disabled={obstacle !== ''}
      aria-label={`${block}, ${change}: gain ${value}, ${meaning}`}
      title={
        obstacle || `${change}: ${meaning}${without} (${formatSeconds(result.seconds)}). ${todo}`
      }
      onClick={() => {
        if (obstacle === '') {
          onPin(isPinned ? null : block);
        }
      }}
    >
      <span className="mlestar-Bar-name">
        <code>{block}</code> <span className="mlestar-faint">without {change}</span>
      </span>
      <span className="mlestar-Bar-track">
        <span className="mlestar-Bar-zero" style={{ left: `${bounds.zero}%` }} />
        <span
          className={`mlestar-Bar-fill mlestar-mod-${(gain ?? 0) > 0 ? 'helps' : 'hurts'}`}
          style={{
            left: `${(gain ?? 0) < 0 ? bounds.zero - width : bounds.zero}%`,
            width: `${width}%`
          }}
        />
      </span>
      <span className="mlestar-Bar-value">{value}</span>
      <span className="mlestar-Bar-pin" aria-hidden>
        {isPinned && <Icon name="pin" />}
      </span>
    </button>
  );
}

function Choice(props: {
  readonly studies: readonly Study[];
  readonly chosen: number;
  readonly onChoose: (seq: number) => void;
}): React.JSX.Element {
  return (
    <label className="mlestar-Choice">
      <span className="mlestar-sr">Which study</span>
      <select
        value={props.chosen}
        onChange={event => {
          props.onChoose(Number(event.target.value));
        }}
      >
        {props.studies.map((study, i) => (
          <option key={study.seq} value={study.seq}>
            {`${study.candidate} (${i + 1} of ${props.studies.length})`}
          </option>
        ))}
      </select>
    </label>
  );
}

function worthOf(result: AblationResult): number {
  // A variant without a score: the block cannot be left out.
  return result.gain ?? Number.NEGATIVE_INFINITY;
}
