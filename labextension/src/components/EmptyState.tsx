import * as React from 'react';

import type { Actions, PanelState } from '../state';
import { Button } from './Button';
import { Icon } from './Icon';

/** A plain sentence, and the one button that mends it. */
interface Words {
  readonly text: string;
  readonly isError?: boolean;
  readonly isBusy?: boolean;
  readonly button?: string;
  readonly act?: () => unknown;
  /** The verb in `PanelState.asking` while it is done. */
  readonly verb?: string;
}

/** Why there is no run to be seen or to be steered; null if there is one and the kernel answers. */
export function emptyWords(state: PanelState, actions: Actions): Words | null {
  const { connection, run } = state;
  const again = { button: 'Try again', act: actions.reconnect, verb: 'reconnect' };
  switch (connection.kind) {
    case 'no notebook':
      return {
        text: 'Open a notebook: its run is shown here.',
        button: 'New notebook',
        act: actions.newNotebook,
        verb: 'new notebook'
      };
    case 'no kernel':
      return { text: 'This notebook has no kernel. Choose one at its top right.', ...again };
    case 'other language':
      return {
        text: `The kernel of this notebook speaks ${connection.language}. MLE-STAR needs Python.`,
        button: 'New notebook',
        act: actions.newNotebook,
        verb: 'new notebook'
      };
    case 'connecting':
      return connection.isBusy
        ? {
            text: 'The kernel is busy. It answers when its cell has ended.',
            isBusy: true,
            button: 'Interrupt it',
            act: actions.interrupt,
            verb: 'interrupt'
          }
        : { text: 'Asking the kernel…', isBusy: true };
    case 'not loaded':
      return {
        text: 'mlestar_jupyter is not loaded in this kernel.',
        button: 'Load it',
        act: actions.loadPackage,
        verb: 'load'
      };
    case 'not installed':
      return {
        text: 'mlestar-jupyter is not installed where this kernel runs.',
        button: 'Install it',
        act: actions.installPackage,
        verb: 'install'
      };
    case 'refused':
      return { text: connection.error, isError: true, ...again };
    case 'lost':
      return {
        text: `The kernel does not answer: ${connection.error}`,
        isError: true,
        ...again
      };
    case 'connected':
      if (run !== null) {
        return null;
      }
      return state.isRestoring
        ? { text: 'Fetching the run…', isBusy: true }
        : {
            text: 'No run yet. Describe a task, and agents search for a solution.',
            button: 'Describe a task',
            act: () => {
              actions.open({ kind: 'form' });
            }
          };
  }
}

export function EmptyState(props: {
  readonly state: PanelState;
  readonly actions: Actions;
}): React.JSX.Element | null {
  const { state, actions } = props;
  const words = emptyWords(state, actions);
  // On the form itself nobody needs to be sent there.
  const isForm = state.page.kind === 'form' && state.connection.kind === 'connected';
  if (words === null || isForm) {
    return null;
  }
  const { text, button, act, verb = '' } = words;
  // Beside a run it is a line; alone it has the panel to itself.
  const size = state.run === null && state.page.kind !== 'form' ? 'whole' : 'line';
  return (
    <div
      className={`mlestar-Note mlestar-mod-${size}${words.isError === true ? ' mlestar-mod-error' : ''}`}
      role={words.isError === true ? 'alert' : 'status'}
    >
      {size === 'whole' && (
        <span className="mlestar-Note-star">
          <Icon name="star" />
        </span>
      )}
      <p>
        {words.isError === true && (
          <span className="mlestar-Note-sign mlestar-tone-bad">
            <Icon name="alert" />
          </span>
        )}
        {words.isBusy === true && (
          <span className="mlestar-Note-sign mlestar-tone-busy">
            <Icon name="half" />
          </span>
        )}
        {text}
      </p>
      {button !== undefined && act !== undefined && (
        <Button kind="primary" label={button} isBusy={state.asking.has(verb)} onPress={act} />
      )}
    </div>
  );
}
