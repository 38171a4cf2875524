/** Commands, for the palette, the keyboard, the launcher and toolbars. */

import { Dialog, type ICommandPalette, InputDialog, showDialog } from '@jupyterlab/apputils';
import type { CommandRegistry } from '@lumino/commands';

import type { PanelModel } from './model';
import { hasEnded, knownBlocks, undoObstacle } from './selectors';
import type { Actions, RunState } from './state';
import { starIcon } from './icon';

/** The ids of our commands. */
export const COMMANDS = {
  open: 'mlestar:open',
  newTask: 'mlestar:new-task',
  load: 'mlestar:load',
  resume: 'mlestar:resume',
  pause: 'mlestar:pause',
  stop: 'mlestar:stop',
  step: 'mlestar:step',
  refine: 'mlestar:refine',
  ablate: 'mlestar:ablate',
  ensemble: 'mlestar:ensemble',
  suggest: 'mlestar:suggest',
  pin: 'mlestar:pin',
  unpin: 'mlestar:unpin',
  undo: 'mlestar:undo',
  showBest: 'mlestar:show-best',
  insertBest: 'mlestar:insert-best',
  insertAll: 'mlestar:insert-all',
  exportBest: 'mlestar:export',
  openStory: 'mlestar:open-run-notebook',
  openFinished: 'mlestar:open-finished-notebook'
} as const;

const CATEGORY = 'MLE-STAR';

interface Entry {
  readonly id: string;
  readonly label: string;
  readonly caption: string;
  readonly isEnabled?: (run: RunState | null) => boolean;
  readonly execute: () => unknown;
}

/** Add our commands, and entries for them in the palette. `reveal` brings the panel into view. */
export function addCommands(
  commands: CommandRegistry,
  palette: ICommandPalette | null,
  model: PanelModel,
  actions: Actions,
  reveal: () => void
): void {
  for (const { id, label, caption, isEnabled, execute } of entries(model, actions, reveal)) {
    commands.addCommand(id, {
      label: args => (args.isLauncher === true ? CATEGORY : label),
      caption,
      icon: args => (args.isLauncher === true ? starIcon : undefined),
      isEnabled: () => isEnabled?.(model.state.run) ?? true,
      describedBy: { args: { type: 'object', properties: {} } },
      execute
    });
    palette?.addItem({ command: id, category: CATEGORY });
  }
  let before: unknown = null;
  model.stateChanged.connect((_, { run }) => {
    const now = `${run?.run} ${run?.standing} ${run?.best} ${run?.finished?.path} ${run?.pinned} ${run?.studies.length}`;
    if (now !== before) {
      before = now;
      commands.notifyCommandChanged();
    }
  });
}

function entries(model: PanelModel, actions: Actions, reveal: () => void): Entry[] {
  const best = (act: (id: string) => unknown) => (): unknown => {
    const id = model.state.run?.best;
    return id ? act(id) : undefined;
  };
  return [
    {
      id: COMMANDS.open,
      label: 'Show the MLE-STAR Panel',
      caption: 'The run of the notebook in focus',
      execute: reveal
    },
    {
      id: COMMANDS.newTask,
      label: 'New Task…',
      caption: 'Let an agent search for a machine-learning solution',
      execute: async () => {
        if (model.state.notebook === null) {
          await actions.newNotebook();
        }
        actions.open({ kind: 'form' });
        reveal();
      }
    },
    {
      id: COMMANDS.load,
      label: 'Load the Package into the Kernel',
      caption: '%load_ext mlestar_jupyter',
      execute: () => actions.loadPackage()
    },
    {
      id: COMMANDS.resume,
      label: 'Resume the Run',
      caption: 'After a pause, with the next step, or after a stop',
      isEnabled: run => run !== null && run.standing !== 'working' && run.standing !== 'finished',
      execute: () => actions.resume()
    },
    {
      id: COMMANDS.pause,
      label: 'Pause the Run',
      caption: 'Begin nothing more; the clock stands',
      isEnabled: run => run?.standing === 'working',
      execute: () => actions.pause()
    },
    {
      id: COMMANDS.stop,
      label: 'Stop the Run',
      caption: 'End what is under way; it can be resumed',
      isEnabled: run => run !== null && !hasEnded(run),
      execute: () => actions.stop()
    },
    {
      id: COMMANDS.step,
      label: 'Take the Next Step',
      caption: 'One outer step of a run that waits for you',
      isEnabled: run => run?.standing === 'waiting',
      execute: () => actions.step()
    },
    {
      id: COMMANDS.refine,
      label: 'Refine the Best Candidate',
      caption: 'One outer step more: ablate, choose a block, refine it',
      isEnabled: isAtRest,
      execute: () => actions.refine()
    },
    {
      id: COMMANDS.ablate,
      label: 'Ablate the Best Candidate',
      caption: 'Measure what each of its blocks is worth',
      isEnabled: isAtRest,
      execute: () => actions.ablate()
    },
    {
      id: COMMANDS.ensemble,
      label: 'Combine the Best Solutions',
      caption: 'An ensemble of the branches’ incumbents',
      isEnabled: isAtRest,
      execute: () => actions.ensemble()
    },
    {
      id: COMMANDS.suggest,
      label: 'Suggest Something to the Agents…',
      caption: 'They try it first in the next outer step',
      isEnabled: run => run !== null,
      execute: async () => {
        const { value } = await InputDialog.getText({
          title: 'Suggest something to try',
          placeholder: 'target encoding for city'
        });
        return value ? actions.suggest(value) : undefined;
      }
    },
    {
      id: COMMANDS.pin,
      label: 'Pin a Block…',
      caption: 'The target of the next outer step',
      isEnabled: run => run !== null && knownBlocks(run).length > 0,
      execute: async () => {
        const { run } = model.state;
        const { value } = await InputDialog.getItem({
          title: 'The block to refine next',
          items: run === null ? [] : knownBlocks(run),
          current: run?.pinned ?? 0
        });
        return value ? actions.pin(value) : undefined;
      }
    },
    {
      id: COMMANDS.unpin,
      label: 'Take the Pin Back',
      caption: 'The agents choose the next target',
      isEnabled: run => run?.pinned != null,
      execute: () => actions.pin(null)
    },
    {
      id: COMMANDS.undo,
      label: 'Undo the Best Candidate…',
      caption: 'Take it back, for good',
      isEnabled: run => run?.best != null && undoObstacle(run, run.best) === '',
      execute: async () => {
        const { button } = await showDialog({
          title: `Take back ${model.state.run?.best ?? 'the best'}?`,
          body: 'It will not come back. The candidate that was the best before is the best again.',
          buttons: [Dialog.cancelButton(), Dialog.warnButton({ label: 'Take It Back' })]
        });
        return button.accept ? actions.undo() : undefined;
      }
    },
    {
      id: COMMANDS.showBest,
      label: 'Show the Best Candidate',
      caption: 'Its difference, outputs, plan and checks',
      isEnabled: run => run?.best != null,
      execute: best(id => {
        actions.open({ kind: 'candidate', id });
        reveal();
      })
    },
    {
      id: COMMANDS.insertBest,
      label: 'Insert the Best Candidate to Edit',
      caption: 'Its blocks as a cell, which adopts them when you run it',
      isEnabled: run => run?.best != null,
      execute: best(id => actions.insert(id))
    },
    {
      id: COMMANDS.insertAll,
      label: 'Insert All Cells of the Run',
      caption: 'Candidates and ablation studies that are not in the notebook',
      isEnabled: run => run !== null,
      execute: () => actions.insertAll()
    },
    {
      id: COMMANDS.exportBest,
      label: 'Export the Best Candidate…',
      caption: 'As a notebook, a script, a report or a folder',
      isEnabled: run => run?.best != null,
      execute: async () => {
        const { value } = await InputDialog.getText({
          title: 'Export as',
          text: 'solution.ipynb',
          label: 'The suffix says which form: .ipynb, .py, .html, or a folder'
        });
        return value ? actions.exportTo(value) : undefined;
      }
    },
    {
      id: COMMANDS.openStory,
      label: 'Open run.ipynb',
      caption: 'The story of the run so far, as a notebook',
      isEnabled: run => run !== null,
      execute: () => actions.openFile('run.ipynb')
    },
    {
      id: COMMANDS.openFinished,
      label: 'Open finished.ipynb',
      caption: 'The report that reproduces the score',
      isEnabled: run => run?.finished != null,
      execute: () => actions.openFile('finished.ipynb')
    }
  ];
}

function isAtRest(run: RunState | null): boolean {
  return run?.best != null && (hasEnded(run) || run.standing === 'waiting');
}
