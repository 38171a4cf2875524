import * as React from 'react';

import type { Standing } from '../protocol';
import type { Actions, PanelState, RunState } from '../state';
import { Button } from './Button';
import { decimalsOf, inColumn, shortSpread } from './columns';
import { Icon, type IconName } from './Icon';
import { CandidateLink, whatOf } from './marks';

const SIGNS: Readonly<Record<Standing, IconName>> = {
  working: 'dot',
  waiting: 'step',
  paused: 'pause',
  finished: 'check',
  stopped: 'stop',
  'cut off': 'dash'
};

const HINTS: Readonly<Record<Standing, string>> = {
  working: 'It is at work',
  waiting: 'It waits for you',
  paused: 'It is paused; the clock stands',
  finished: 'It has finished',
  stopped: 'It was stopped; it can go on',
  'cut off': 'Nobody is at work on it, and it has not ended; it can go on'
};

/** The run's name and how it stands, and a way to other runs. */
export function Header(props: {
  readonly state: PanelState;
  readonly actions: Actions;
}): React.JSX.Element {
  const { state, actions } = props;
  const { run, runs, notebook } = state;
  const others = runs.filter(item => item.run !== run?.run);
  return (
    <header className="mlestar-Header">
      <div className="mlestar-Header-line">
        <h2 className="mlestar-Header-name" title={run?.folder}>
          {run?.name ?? 'MLE-STAR'}
        </h2>
        {run !== null && <Pill run={run} />}
        <span className="mlestar-Header-space" />
        {notebook !== null && state.page.kind !== 'form' && (
          <Button
            label="New task"
            name="New task"
            icon="plus"
            hint="Describe a task, and write its cell"
            onPress={() => {
              actions.open({ kind: 'form' });
            }}
          />
        )}
      </div>
      {run?.best != null && <Best run={run} actions={actions} />}
      {(others.length > 0 || (run === null && runs.length > 0)) && (
        <label className="mlestar-Choice mlestar-Header-switch">
          <span>run</span>
          <select
            aria-label="Run"
            value={run?.run ?? ''}
            onFocus={() => {
              void actions.refreshRuns();
            }}
            onChange={event => {
              void actions.showRun(event.target.value || null);
            }}
          >
            {run === null && <option value="">choose one</option>}
            {run !== null && others.length === runs.length && (
              <option value={run.run}>{run.name}</option>
            )}
            {runs.map(item => (
              <option key={item.run} value={item.run}>
                {item.name + (item.at_work ? ' · at work' : item.attached ? '' : ' · earlier')}
              </option>
            ))}
          </select>
        </label>
      )}
    </header>
  );
}

function Pill({ run }: { readonly run: RunState }): React.JSX.Element {
  const { standing, reason } = run;
  const why = reason !== '' && reason !== standing ? `: ${reason}` : '';
  return (
    <span
      className={`mlestar-Pill mlestar-mod-${standing.replace(' ', '-')}`}
      role="status"
      title={HINTS[standing] + why}
    >
      <Icon name={SIGNS[standing]} />
      {standing}
    </span>
  );
}

function Best(props: { readonly run: RunState; readonly actions: Actions }): React.JSX.Element {
  const { run, actions } = props;
  const id = run.best ?? '';
  const best = run.candidates.get(id);
  const score = best?.score ?? null;
  return (
    <div className="mlestar-Best">
      {score !== null && (
        <p title={run.greaterIsBetter ? 'greater is better' : 'smaller is better'}>
          <span className="mlestar-Best-score">{inColumn(score.value, decimalsOf(run))}</span>{' '}
          <span className="mlestar-Best-unit">
            {score.spread > 0 && `± ${shortSpread(score.spread)} `}
            {run.metric}
            {score.self_scored && ' (self-scored)'}
          </span>
        </p>
      )}
      <p className="mlestar-Best-who">
        <span className="mlestar-tone-best">
          <Icon name="star" />
        </span>
        <span className="mlestar-sr">best </span>
        <CandidateLink
          run={run}
          id={id}
          onOpen={other => {
            actions.open({ kind: 'candidate', id: other });
          }}
        />
        {best !== undefined && <span className="mlestar-Best-what">{whatOf(best)}</span>}
      </p>
    </div>
  );
}
