import * as React from 'react';

import { Button } from './Button';

/** A field with a button. It is emptied when what it had was taken. */
export function TextAction(props: {
  readonly label: string;
  readonly name: string;
  readonly hint: string;
  readonly obstacle: string;
  readonly isBusy: boolean;
  readonly initial?: string;
  readonly placeholder?: string;
  readonly choices?: readonly string[];
  readonly onSend: (text: string) => Promise<boolean>;
}): React.JSX.Element {
  const [text, setText] = React.useState(props.initial ?? '');
  const list = React.useId();
  const obstacle = props.obstacle || (text.trim() === '' ? 'write something first' : '');
  const send = async (): Promise<void> => {
    if (obstacle === '' && !props.isBusy && (await props.onSend(text.trim()))) {
      setText('');
    }
  };
  return (
    <form
      className="mlestar-TextAction"
      onSubmit={event => {
        event.preventDefault();
        void send();
      }}
    >
      <input
        className="mlestar-Input"
        aria-label={props.name}
        title={props.hint}
        autoComplete="off"
        value={text}
        placeholder={props.placeholder}
        list={props.choices === undefined ? undefined : list}
        onChange={event => {
          setText(event.target.value);
        }}
      />
      {props.choices !== undefined && (
        <datalist id={list}>
          {props.choices.map(choice => (
            <option key={choice} value={choice} />
          ))}
        </datalist>
      )}
      <Button
        label={props.label}
        hint={props.hint}
        obstacle={obstacle}
        isBusy={props.isBusy}
        onPress={send}
      />
    </form>
  );
}
