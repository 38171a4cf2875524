import * as React from 'react';

import { formatBranch } from '../format';
import { knownBlocks } from '../selectors';
import type { Actions, PanelState, RunState } from '../state';
import { Button } from './Button';
import { CandidateLink } from './marks';

/** Step mode: what was found, what comes next, and the user's choice. */
export function WaitingReport(props: {
  readonly state: PanelState;
  readonly run: RunState;
  readonly actions: Actions;
  readonly onOpen: (id: string) => void;
}): React.JSX.Element | null {
  const { state, run, actions, onOpen } = props;
  const [block, setBlock] = React.useState('');
  const blocks = knownBlocks(run);
  const obstacle = state.connection.kind === 'connected' ? '' : 'the kernel does not answer';
  const isBusy = ['resume', 'refine', 'pin'].some(verb => state.asking.has(verb));
  if (run.standing !== 'waiting') {
    return null;
  }
  const chosen = blocks.includes(block) ? block : '';
  return (
    <section className="mlestar-Waiting" aria-label="The run waits for you">
      <h3>The run waits for you</h3>
      {run.waiting.map(report => (
        <dl key={report.branch} className="mlestar-Facts">
          <dt>{formatBranch(report.branch, run.waiting.length) || 'step'}</dt>
          <dd>
            {report.number} of {report.of}, from{' '}
            <CandidateLink run={run} id={report.incumbent} onOpen={onOpen} />
          </dd>
          <dt>found</dt>
          <dd>{report.found}</dd>
          <dt>next</dt>
          <dd>{run.pinned === null ? report.next : `refine ${run.pinned}, which you pinned`}</dd>
        </dl>
      ))}
      <div className="mlestar-Buttons">
        {blocks.length > 0 && (
          <label className="mlestar-Choice">
            <span>next target</span>
            <select
              value={chosen}
              onChange={event => {
                setBlock(event.target.value);
              }}
            >
              <option value="">{run.pinned ?? 'as proposed'}</option>
              {blocks.map(name => (
                <option key={name} value={name}>
                  {name}
                </option>
              ))}
            </select>
          </label>
        )}
        <Button
          kind="primary"
          label={chosen === '' ? 'Go on' : `Go on with ${chosen}`}
          icon="play"
          hint="Take the next outer step, then wait again"
          obstacle={obstacle}
          isBusy={isBusy}
          onPress={() => (chosen === '' ? actions.step() : actions.step(chosen))}
        />
        {chosen !== '' && (
          <Button
            label="Pin it"
            hint={`Make ${chosen} the next target, and wait still`}
            obstacle={obstacle}
            isBusy={isBusy}
            onPress={() => actions.pin(chosen)}
          />
        )}
      </div>
    </section>
  );
}
