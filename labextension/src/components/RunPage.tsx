import * as React from 'react';

import type { Actions, PanelState, RunState } from '../state';
import { AblationBars } from './AblationBars';
import { CandidateTree } from './CandidateTree';
import { Controls, Transport } from './Controls';
import { EventLog } from './EventLog';
import { Links } from './Links';
import { Meters, StageTimeline, Writings } from './Progress';
import { ScoreChart } from './ScoreChart';
import { Section } from './ui';
import { WaitingReport } from './WaitingReport';

/** A run: what it is at, what it found, and what can be asked of it. */
export function RunPage(props: {
  readonly state: PanelState;
  readonly run: RunState;
  readonly actions: Actions;
}): React.JSX.Element {
  const { state, run, actions } = props;
  const onOpen = React.useCallback(
    (id: string) => {
      actions.open({ kind: 'candidate', id });
    },
    [actions]
  );
  const isConnected = state.connection.kind === 'connected';
  return (
    <>
      <div className="mlestar-Now">
        <Meters run={run} />
        <Transport {...props} />
      </div>
      <WaitingReport {...props} onOpen={onOpen} />
      <Section title="Stages">
        <StageTimeline run={run} onOpen={onOpen} />
        <Writings run={run} />
      </Section>
      <Section
        title="Scores"
        aside={`${run.metric}, ${run.greaterIsBetter ? 'greater' : 'smaller'} is better`}
      >
        <ScoreChart run={run} onOpen={onOpen} />
      </Section>
      <Section title="Candidates" aside={run.counts.candidates}>
        <CandidateTree run={run} onOpen={onOpen} />
      </Section>
      <Section title="Ablation" aside={run.pinned === null ? undefined : `pinned: ${run.pinned}`}>
        <AblationBars
          run={run}
          onPin={block => {
            void actions.pin(block);
          }}
          onOpen={onOpen}
          obstacle={isConnected ? '' : 'the kernel does not answer'}
        />
      </Section>
      <Section title="Steer">
        <Controls {...props} />
      </Section>
      <Section title="Files">
        <Links run={run} actions={actions} isBusy={state.asking.has('open')} />
      </Section>
      <Section title="Events" aside={run.log.length}>
        <EventLog run={run} onOpen={onOpen} />
      </Section>
    </>
  );
}
