import * as React from 'react';

/** A line of a form: label, input, hint, and what is wrong. */
export function Field(props: {
  readonly label: string;
  readonly value: string;
  readonly onChange: (value: string) => void;
  readonly hint?: string;
  readonly placeholder?: string;
  readonly problem?: string;
  /** Offered while typing; anything else may be typed as well. */
  readonly choices?: readonly string[];
  readonly inputMode?: 'numeric' | 'decimal';
  readonly isShort?: boolean;
  /** What stands beside the input. */
  readonly children?: React.ReactNode;
}): React.JSX.Element {
  const id = React.useId();
  const { problem, hint, choices = [] } = props;
  const note = problem ?? hint;
  return (
    <div className={`mlestar-Field${props.isShort === true ? ' mlestar-mod-short' : ''}`}>
      <label htmlFor={id}>{props.label}</label>
      <div className="mlestar-Field-row">
        <input
          id={id}
          type="text"
          autoComplete="off"
          spellCheck={false}
          className="mlestar-Input"
          value={props.value}
          placeholder={props.placeholder}
          inputMode={props.inputMode}
          list={choices.length > 0 ? `${id}-list` : undefined}
          aria-invalid={problem !== undefined}
          aria-describedby={note === undefined ? undefined : `${id}-note`}
          onChange={event => {
            props.onChange(event.target.value);
          }}
        />
        {props.children}
      </div>
      {choices.length > 0 && (
        <datalist id={`${id}-list`}>
          {choices.map(choice => (
            <option key={choice} value={choice} />
          ))}
        </datalist>
      )}
      {note !== undefined && (
        <p
          id={`${id}-note`}
          className={problem === undefined ? 'mlestar-Field-hint' : 'mlestar-Field-problem'}
        >
          {problem !== undefined && <span aria-hidden>! </span>}
          {note}
        </p>
      )}
    </div>
  );
}

/** One of a few values. */
export function Choice(props: {
  readonly label: string;
  readonly value: string;
  /** What each value is called. */
  readonly choices: Readonly<Record<string, string>>;
  readonly problem?: string;
  readonly onChange: (value: string) => void;
}): React.JSX.Element {
  const id = React.useId();
  const { problem } = props;
  return (
    <div className="mlestar-Field mlestar-mod-short">
      <label htmlFor={id}>{props.label}</label>
      <select
        id={id}
        className="mlestar-Input"
        value={props.value}
        aria-invalid={problem !== undefined}
        aria-describedby={problem === undefined ? undefined : `${id}-note`}
        onChange={event => {
          props.onChange(event.target.value);
        }}
      >
        {Object.entries(props.choices).map(([value, words]) => (
          <option key={value} value={value}>
            {words}
          </option>
        ))}
      </select>
      {problem !== undefined && (
        <p id={`${id}-note`} className="mlestar-Field-problem">
          <span aria-hidden>! </span>
          {problem}
        </p>
      )}
    </div>
  );
}

/** A box to tick. */
export function Check(props: {
  readonly label: string;
  readonly hint: string;
  readonly value: boolean;
  readonly onChange: (value: boolean) => void;
}): React.JSX.Element {
  return (
    <label className="mlestar-Check" title={props.hint}>
      <input
        type="checkbox"
        checked={props.value}
        onChange={event => {
          props.onChange(event.target.checked);
        }}
      />
      <span>
        {props.label} <span className="mlestar-faint">{props.hint}</span>
      </span>
    </label>
  );
}
