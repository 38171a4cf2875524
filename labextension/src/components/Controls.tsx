import * as React from 'react';

import { hasEnded, undoObstacle } from '../selectors';
import type { Actions, PanelState, RunState } from '../state';
import { ButtonRow } from './Button';
import { TextAction } from './TextAction';

type Obstacles = Readonly<
  Record<'resume' | 'pause' | 'step' | 'stop' | 'more' | 'best' | 'undo' | 'any', string>
>;

/** Why each control cannot be used now; "" if it can. */
export function obstaclesOf(state: PanelState, run: RunState): Obstacles {
  const { standing } = run;
  const any = state.connection.kind === 'connected' ? '' : 'the kernel does not answer';
  const isOver = hasEnded(run);
  const ended = isOver ? 'the run has ended' : '';
  const resume =
    standing === 'working' ? 'it is at work' : standing === 'finished' ? 'the run is finished' : '';
  const pause = ended || (standing === 'working' ? '' : 'it is not at work');
  const step =
    standing === 'waiting' ? '' : 'only a run in step mode that waits for you takes a step';
  const best = run.best === null ? 'there is no best candidate yet' : '';
  const more =
    best || (isOver || standing === 'waiting' ? '' : 'while the run is at work: stop it first');
  const of = (obstacle: string): string => any || obstacle;
  return {
    any,
    resume: of(resume),
    pause: of(pause),
    step: of(step),
    stop: of(ended),
    best: of(best),
    undo: of(run.best === null ? best : undoObstacle(run, run.best)),
    more: of(more)
  };
}

interface Props {
  readonly state: PanelState;
  readonly run: RunState;
  readonly actions: Actions;
}

/** Whether the run is at work. */
export function Transport({ state, run, actions }: Props): React.JSX.Element {
  const { asking, connection } = state;
  const off = obstaclesOf(state, run);
  // Without subshells a busy kernel does not hear us; an interrupt reaches it, and stops softly.
  const mustInterrupt =
    state.isKernelBusy && connection.kind === 'connected' && !connection.hello.kernel.subshells;
  return (
    <ButtonRow
      label="The run"
      isJoined
      asking={asking}
      buttons={[
        {
          label: 'Go on',
          icon: 'play',
          kind: off.resume === '' ? 'primary' : 'plain',
          hint: 'After a pause, with the next step, or after a stop',
          obstacle: off.resume,
          verbs: ['resume'],
          onPress: actions.resume
        },
        {
          label: 'Pause',
          icon: 'pause',
          hint: 'Begin nothing more; the clock stands',
          obstacle: off.pause,
          verbs: ['pause'],
          onPress: actions.pause
        },
        {
          label: 'Step',
          icon: 'step',
          hint: 'Take the next outer step, then wait again',
          obstacle: off.step,
          verbs: ['resume'],
          onPress: () => actions.step()
        },
        {
          label: 'Stop',
          icon: 'stop',
          hint: mustInterrupt
            ? 'Interrupt the kernel: this one hears nothing else while it is busy'
            : 'End what is under way; it can go on later',
          obstacle: off.stop,
          verbs: ['stop', 'interrupt'],
          onPress: mustInterrupt ? actions.interrupt : actions.stop
        }
      ]}
    />
  );
}

/** What can be asked of the search and of its best candidate. */
export function Controls({ state, run, actions }: Props): React.JSX.Element {
  const { asking } = state;
  const off = obstaclesOf(state, run);
  const best = run.best ?? '';
  return (
    <div className="mlestar-Controls">
      <ButtonRow
        label="More of the search"
        title="Search"
        asking={asking}
        buttons={[
          {
            label: 'Refine',
            hint: `One outer step more: ablate, choose ${run.pinned ?? 'a block'}, refine it`,
            obstacle: off.more,
            verbs: ['refine'],
            onPress: () => actions.refine()
          },
          {
            label: 'Ablate',
            hint: 'Measure what each block of the best is worth',
            obstacle: off.more,
            verbs: ['ablate'],
            onPress: actions.ablate
          },
          {
            label: 'Ensemble',
            hint: 'Combine the best solutions',
            obstacle: off.more,
            verbs: ['ensemble'],
            onPress: actions.ensemble
          }
        ]}
      />
      <ButtonRow
        label="The best candidate"
        title={best === '' ? 'Best' : `Best ${best}`}
        asking={asking}
        buttons={[
          {
            label: 'Insert',
            name: 'Insert the best candidate',
            hint: `Write the blocks of ${best} as a cell, to edit and to run`,
            obstacle: off.best,
            verbs: ['insert'],
            onPress: () => actions.insert(best)
          },
          {
            label: 'Adopt',
            name: 'Adopt the best candidate',
            hint: `Judge the cells of ${best} as you edited them`,
            obstacle: off.best,
            verbs: ['adopt'],
            onPress: () => actions.adopt(best)
          },
          {
            label: 'Undo',
            question: `Take ${best} back, for good?`,
            hint: `Take ${best} back, for good; the one before is the best again`,
            obstacle: off.undo,
            verbs: ['undo'],
            onPress: () => actions.undo(best)
          }
        ]}
      />
      <ButtonRow
        label="The notebook"
        title="Notebook"
        asking={asking}
        buttons={[
          {
            label: 'Insert all cells',
            hint: 'All candidates and studies that are not in the notebook',
            obstacle: off.any,
            verbs: ['insert all'],
            onPress: actions.insertAll
          }
        ]}
      />
      <TextAction
        label="Suggest"
        name="Something to try"
        placeholder="an idea, such as: target encoding for city"
        hint="The agents try it first in the next outer step"
        obstacle={off.any}
        isBusy={asking.has('suggest')}
        onSend={actions.suggest}
      />
      <TextAction
        label="Export"
        name="Export as"
        initial="solution.ipynb"
        choices={['solution.ipynb', 'solution.py', 'solution.html', 'solution']}
        hint="The suffix says which form: .ipynb, .py, .html, or a folder"
        obstacle={off.best}
        isBusy={asking.has('export')}
        onSend={async path => {
          await actions.exportTo(path);
          return false;
        }}
      />
    </div>
  );
}
