import * as React from 'react';

import type { Actions, PanelState, TaskForm as Form } from '../state';
import { Button } from './Button';
import { DataFields } from './DataFields';
import { Check, Choice, Field } from './Field';
import { columnsOf, effective, isOwnMetric, problemsOf, type Source, takes } from './form_checks';

/** Milliseconds after the last key before the kernel is asked what it knows of the data. */
const PAUSE = 400;

/** A new task. It becomes the text of a `%%mlestar` cell. */
export function TaskForm(props: {
  readonly state: PanelState;
  readonly actions: Actions;
  /** Kept by the owner, so that it survives a look at another page. */
  readonly form: Form;
  readonly onChange: (form: Form) => void;
}): React.JSX.Element {
  const { state, actions, form, onChange } = props;
  const { facts, connection } = state;
  const [source, setSource] = React.useState<Source>(form.train === '' ? 'folder' : 'frames');
  const [isTried, setTried] = React.useState(false);
  const root = React.useRef<HTMLFormElement>(null);
  React.useEffect(() => {
    root.current?.querySelector('input')?.focus();
  }, []);
  const whole = effective(form, source, facts);
  const verbs = connection.kind === 'connected' ? connection.hello.verbs : [];
  const problems = problemsOf(whole, source, facts, verbs);
  useFacts(actions, whole, connection.kind);

  const set = (change: Partial<Form>): void => {
    onChange({ ...form, ...change });
  };
  const shown = (field: keyof Form): string | undefined =>
    isTried || form[field] !== '' ? problems[field] : undefined;
  const run = (): void => {
    setTried(true);
    if (Object.keys(problems).length === 0) {
      void actions.start(whole);
    } else {
      // The inputs take their marks when this is rendered.
      setTimeout(() => root.current?.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus());
    }
  };
  return (
    <form
      ref={root}
      className="mlestar-Form"
      aria-label="New task"
      noValidate
      onSubmit={event => {
        event.preventDefault();
        run();
      }}
    >
      <DataFields
        {...{ state, actions, form, source, shown, set }}
        onSource={chosen => {
          setSource(chosen);
        }}
      />
      <Field
        label="Target"
        value={form.target}
        choices={columnsOf(form, source, facts)}
        placeholder="inferred"
        hint="the column to predict"
        problem={shown('target')}
        onChange={target => {
          set({ target });
        }}
      />
      <div className="mlestar-Form-pair">
        <Field
          isShort
          label="Metric"
          value={form.metric}
          choices={[...(facts?.metrics.map(({ name }) => name) ?? []), ...(facts?.functions ?? [])]}
          placeholder="inferred"
          hint={directionOf(state, form.metric)}
          onChange={metric => {
            set({ metric });
          }}
        />
        {isOwnMetric(form, facts) && (
          <Choice
            label="Better is"
            value={form.direction}
            choices={{ '': 'choose one', minimize: 'smaller', maximize: 'greater' }}
            problem={isTried ? problems.direction : undefined}
            onChange={direction => {
              set({ direction });
            }}
          />
        )}
        <Field
          isShort
          label="Time limit"
          value={form.time}
          placeholder={facts?.defaults.time}
          problem={shown('time')}
          onChange={time => {
            set({ time });
          }}
        />
        <Field
          isShort
          label="Agents"
          value={form.agents}
          choices={facts?.agents?.map(({ name }) => name)}
          placeholder={facts?.defaults.agents ?? 'playbook'}
          onChange={value => {
            set({ agents: value });
          }}
        />
        <Field
          isShort
          label="Jobs"
          inputMode="numeric"
          value={form.jobs}
          placeholder={facts === null ? undefined : String(facts.defaults.jobs)}
          problem={shown('jobs')}
          onChange={jobs => {
            set({ jobs });
          }}
        />
        {takes(form, facts, 'model') && (
          <Field
            isShort
            label="Model"
            value={form.model}
            placeholder="the agents’ own"
            onChange={model => {
              set({ model });
            }}
          />
        )}
        {takes(form, facts, 'cost') && (
          <Field
            isShort
            label="Cost limit ($)"
            inputMode="decimal"
            value={form.cost}
            placeholder="none"
            problem={shown('cost')}
            onChange={cost => {
              set({ cost });
            }}
          />
        )}
        <Field
          isShort
          label="Name"
          value={form.name}
          placeholder="made up"
          problem={shown('name')}
          onChange={name => {
            set({ name });
          }}
        />
      </div>
      <Words
        value={form.words}
        onChange={words => {
          set({ words });
        }}
      />
      <div className="mlestar-Form-checks">
        <Check
          label="Step by step"
          hint="wait for me after each outer step"
          value={form.step}
          onChange={step => {
            set({ step });
          }}
        />
        <Check
          label="In the background"
          hint="give the kernel back at once"
          value={form.background}
          onChange={background => {
            set({ background });
          }}
        />
      </div>
      <div>
        <p className="mlestar-Form-caption">This cell is written into the notebook and run:</p>
        <pre className="mlestar-Preview" role="group" aria-label="The cell that is written">
          {actions.cellOf(whole)}
        </pre>
      </div>
      <div className="mlestar-Buttons">
        <Button
          kind="primary"
          label="Run"
          icon="play"
          hint="Write the cell and run it"
          obstacle={state.notebook === null ? 'open a notebook first' : ''}
          isBusy={state.asking.has('start')}
          onPress={run}
        />
        <Button
          label="Cancel"
          onPress={() => {
            actions.open({ kind: 'run' });
          }}
        />
        {isTried && Object.keys(problems).length > 0 && (
          <span className="mlestar-Field-problem" role="alert">
            ! see the fields that are marked
          </span>
        )}
      </div>
    </form>
  );
}

function Words(props: {
  readonly value: string;
  readonly onChange: (value: string) => void;
}): React.JSX.Element {
  const id = React.useId();
  return (
    <div className="mlestar-Field">
      <label htmlFor={id}>Description</label>
      <textarea
        id={id}
        className="mlestar-Input"
        rows={3}
        value={props.value}
        placeholder="the task in your words"
        onChange={event => {
          props.onChange(event.target.value);
        }}
      />
    </div>
  );
}

/** Ask what the kernel knows of the data, once nothing was typed for a moment. */
function useFacts(actions: Actions, form: Form, connection: string): void {
  const { data, train } = form;
  React.useEffect(() => {
    const timer = setTimeout(() => {
      void actions.refreshFacts({ data, train });
    }, PAUSE);
    return () => {
      clearTimeout(timer);
    };
  }, [actions, data, train, connection]);
}

function directionOf(state: PanelState, name: string): string | undefined {
  const metric = state.facts?.metrics.find(each => each.name === name.trim());
  if (metric === undefined) {
    return undefined;
  }
  return metric.greater_is_better ? 'greater is better' : 'smaller is better';
}
