import * as React from 'react';

import type { Frame } from '../protocol';
import type { Actions, PanelState, TaskForm as Form } from '../state';
import { Button } from './Button';
import { Field } from './Field';
import type { Source } from './form_checks';

/** Where the data of a task comes from: a folder, or DataFrames of the notebook. */
export function DataFields(props: {
  readonly state: PanelState;
  readonly actions: Actions;
  readonly form: Form;
  readonly source: Source;
  readonly shown: (field: keyof Form) => string | undefined;
  readonly set: (change: Partial<Form>) => void;
  readonly onSource: (source: Source) => void;
}): React.JSX.Element {
  const { state, actions, form, source, shown, set, onSource } = props;
  const frames = state.facts?.frames ?? [];
  const group = React.useId();
  const choice = (value: Source, label: string): React.JSX.Element => (
    <label className="mlestar-Check">
      <input
        type="radio"
        name={group}
        checked={source === value}
        onChange={() => {
          onSource(value);
        }}
      />
      {label}
    </label>
  );
  const known = frames.find(({ name }) => name === form.train.trim());
  return (
    <fieldset className="mlestar-Fieldset">
      <legend>Data</legend>
      <div className="mlestar-Radios">
        {choice('folder', 'a folder')}
        {choice('frames', `DataFrames${frames.length > 0 ? ` (${frames.length} found)` : ''}`)}
      </div>
      {source === 'folder' ? (
        <Field
          label="Folder"
          value={form.data}
          placeholder="data"
          hint="with train and test; seen from the notebook"
          problem={shown('data')}
          onChange={data => {
            set({ data });
          }}
        >
          <Button
            label="Browse…"
            isBusy={state.asking.has('folder')}
            onPress={async () => {
              const data = await actions.pickFolder();
              if (data !== null) {
                set({ data });
              }
            }}
          />
        </Field>
      ) : (
        <div className="mlestar-Form-pair">
          <Field
            isShort
            label="Train"
            value={form.train}
            choices={frames.map(({ name }) => name)}
            hint={known === undefined ? 'the rows to learn from' : sizeOf(known)}
            problem={shown('train')}
            onChange={train => {
              set({ train });
            }}
          />
          <Field
            isShort
            label="Test"
            value={form.test}
            choices={frames.map(({ name }) => name)}
            placeholder="none"
            hint="the rows to predict"
            onChange={test => {
              set({ test });
            }}
          />
        </div>
      )}
    </fieldset>
  );
}

function sizeOf(frame: Frame): string {
  const rows = frame.rows === null ? '' : `${frame.rows.toLocaleString('en-US')} rows, `;
  return `${rows}${frame.columns.length} columns`;
}
