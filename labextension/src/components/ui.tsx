/** Small parts that all sections of the sidebar are made of. */

import * as React from 'react';

import { Icon, type IconName } from './Icon';

/** A button. One with an obstacle stays in reach of the keyboard, and its tooltip says why. */
export function Button(props: {
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
}): React.JSX.Element {
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
export function ConfirmButton(props: {
  readonly label: string;
  readonly question: string;
  readonly onPress: () => unknown;
  readonly hint: string;
  readonly obstacle: string;
  readonly isBusy?: boolean;
}): React.JSX.Element {
  const [isAsking, setAsking] = React.useState(false);
  if (!isAsking || props.obstacle !== '') {
    return (
      <Button
        label={props.label}
        hint={props.hint}
        obstacle={props.obstacle}
        isBusy={props.isBusy}
        onPress={() => {
          setAsking(true);
        }}
      />
    );
  }
  return (
    <span className="mlestar-Confirm" role="group" aria-label={props.question}>
      <span>{props.question}</span>
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

/** A part of the sidebar that folds. */
export function Section(props: {
  readonly title: string;
  /** A few words beside the title, which stay when it is folded. */
  readonly aside?: React.ReactNode;
  readonly startsFolded?: boolean;
  readonly children: React.ReactNode;
}): React.JSX.Element {
  const [isOpen, setOpen] = React.useState(props.startsFolded !== true);
  const id = React.useId();
  return (
    <section className="mlestar-Section" aria-labelledby={`${id}-title`}>
      <h3 className="mlestar-Section-head">
        <button
          type="button"
          className="mlestar-Section-fold"
          aria-expanded={isOpen}
          aria-controls={id}
          onClick={() => {
            setOpen(!isOpen);
          }}
        >
          <span className="mlestar-Twisty" aria-hidden>
            {isOpen ? '▾' : '▸'}
          </span>
          <span id={`${id}-title`} className="mlestar-Section-title">
            {props.title}
          </span>
          {props.aside !== undefined && (
            <span className="mlestar-Section-aside">{props.aside}</span>
          )}
        </button>
      </h3>
      <div id={id} className="mlestar-Section-body" hidden={!isOpen}>
        {isOpen && props.children}
      </div>
    </section>
  );
}

/** A named bar that shows how much of something is used. */
export function Meter(props: {
  readonly label: string;
  readonly value: number;
  readonly max: number;
  readonly text: string;
}): React.JSX.Element {
  const share = props.max > 0 ? Math.min(1, Math.max(0, props.value / props.max)) : 0;
  return (
    <div className="mlestar-Meter">
      <span className="mlestar-Meter-label">{props.label}</span>
      <div
        className="mlestar-Meter-track"
        role="meter"
        aria-label={props.label}
        aria-valuemin={0}
        aria-valuemax={Math.round(props.max * 100) / 100}
        aria-valuenow={Math.round(Math.min(props.value, props.max) * 100) / 100}
        aria-valuetext={props.text}
      >
        <div
          className={`mlestar-Meter-bar${share > 0.9 ? ' mlestar-mod-low' : ''}`}
          style={{ width: `${(share * 100).toFixed(1)}%` }}
        />
      </div>
      <span className="mlestar-Meter-text" aria-hidden>
        {props.text}
      </span>
    </div>
  );
}

/** `Date.now()`, each second while something goes on. */
export function useNow(isGoing: boolean): number {
  const [now, setNow] = React.useState(() => Date.now());
  React.useEffect(() => {
    setNow(Date.now());
    if (!isGoing) {
      return undefined;
    }
    const timer = setInterval(() => {
      setNow(Date.now());
    }, 1000);
    return () => {
      clearInterval(timer);
    };
  }, [isGoing]);
  return now;
}

/** The width of an element in pixels, as it changes. */
export function useWidth(initial: number): [React.RefObject<HTMLDivElement>, number] {
  const ref = React.useRef<HTMLDivElement>(null);
  const [width, setWidth] = React.useState(initial);
  React.useLayoutEffect(() => {
    const element = ref.current;
    if (element === null || typeof ResizeObserver === 'undefined') {
      return undefined;
    }
    const observer = new ResizeObserver(() => {
      if (element.clientWidth > 0) {
        setWidth(element.clientWidth);
      }
    });
    observer.observe(element);
    return () => {
      observer.disconnect();
    };
  }, []);
  return [ref, width];
}

/** "1 candidate", "2 candidates". */
export function countOf(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}
