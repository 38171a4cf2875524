/** Buttons, alone and in rows. */

import * as React from 'react';

import { Icon, type IconName } from './Icon';

export interface ButtonProps {
  readonly label: string;
  readonly onPress: () => unknown;
  /** What it does, for the tooltip. */
  readonly hint?: string;
  /** Why it cannot be pressed now; "" if it can. */
  readonly obstacle?: string;
  readonly isBusy?: boolean;
  readonly kind?: 'primary' | 'danger' | 'plain' | 'link';
  /** For screen readers, where the label alone says too little. */
  readonly name?: string;
  readonly icon?: IconName;
  readonly isPressed?: boolean;
}

/** A button. One with an obstacle stays in reach of the keyboard, and its tooltip says why. */
export function Button(props: ButtonProps): React.JSX.Element {
  const { label, onPress, hint = '', obstacle = '', isBusy = false, kind = 'plain' } = props;
  const isOff = obstacle !== '' || isBusy;
  return (
    <button
      type="button"
      className={`mlestar-Button mlestar-mod-${kind}`}
      title={obstacle || hint || undefined}
      aria-label={props.name}
      aria-disabled={isOff}
      aria-busy={isBusy}
      aria-pressed={props.isPressed}
      onClick={() => {
        if (!isOff) {
          onPress();
        }
      }}
    >
      {props.icon !== undefined && <Icon name={props.icon} />}
      <span>{label}</span>
    </button>
  );
}

/** A button that asks once more before it does what cannot be taken back. */
export function ConfirmButton(
  props: ButtonProps & { readonly question: string }
): React.JSX.Element {
  const { question, ...button } = props;
  const [isAsking, setAsking] = React.useState(false);
  const root = React.useRef<HTMLSpanElement>(null);
  const wasAsking = React.useRef(false);
  React.useEffect(() => {
    // The focus goes to the question, on what does no harm, and comes back.
    if (isAsking !== wasAsking.current) {
      wasAsking.current = isAsking;
      [...(root.current?.querySelectorAll('button') ?? [])].at(-1)?.focus();
    }
  }, [isAsking]);
  if (!isAsking || (props.obstacle ?? '') !== '') {
    return (
      <span ref={root} className="mlestar-Confirm-button">
        <Button
          {...button}
          onPress={() => {
            setAsking(true);
          }}
        />
      </span>
    );
  }
  return (
    <span ref={root} className="mlestar-Confirm" role="group" aria-label={question}>
      <span>{question}</span>
      <Button
        label="Yes"
        kind="danger"
        onPress={() => {
          setAsking(false);
          props.onPress();
        }}
      />
      <Button
        label="No"
        onPress={() => {
          setAsking(false);
        }}
      />
    </span>
  );
}

/** One button of a row. */
export interface RowButton extends ButtonProps {
  /** The verbs in `PanelState.asking` while it is busy. */
  readonly verbs?: readonly string[];
  /** Asked once more before it is done. */
  readonly question?: string;
}

/** Buttons that belong together. */
export function ButtonRow(props: {
  readonly label: string;
  readonly asking: ReadonlySet<string>;
  readonly buttons: readonly RowButton[];
  /** A word in front of them. */
  readonly title?: string;
  /** Without a gap between them. */
  readonly isJoined?: boolean;
}): React.JSX.Element {
  const { label, asking, buttons, title, isJoined = false } = props;
  return (
    <div
      className={`mlestar-Buttons${isJoined ? ' mlestar-mod-joined' : ''}`}
      role="group"
      aria-label={label}
    >
      {title !== undefined && <span className="mlestar-Buttons-title">{title}</span>}
      {buttons.map(({ verbs = [], question, ...button }) => {
        const isBusy = verbs.some(verb => asking.has(verb));
        return question === undefined ? (
          <Button key={button.label} {...button} isBusy={isBusy} />
        ) : (
          <ConfirmButton key={button.label} {...button} isBusy={isBusy} question={question} />
        );
      })}
    </div>
  );
}
