/** Small parts that all sections of the sidebar are made of. */

import * as React from 'react';

import { Twisty } from './Icon';

/** The head of a part that folds: its sign, and what stands beside it. */
export function FoldButton(props: {
  readonly isOpen: boolean;
  readonly onToggle: () => void;
  /** Id of the part. */
  readonly controls: string;
  readonly children: React.ReactNode;
}): React.JSX.Element {
  const { isOpen } = props;
  return (
    <button
      type="button"
      className="mlestar-Section-fold"
      aria-expanded={isOpen}
      aria-controls={props.controls}
      onClick={props.onToggle}
    >
      <Twisty isOpen={isOpen} />
      {props.children}
    </button>
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
        <FoldButton
          isOpen={isOpen}
          controls={id}
          onToggle={() => {
            setOpen(!isOpen);
          }}
        >
          <span id={`${id}-title`} className="mlestar-Section-title">
            {props.title}
          </span>
          {props.aside !== undefined && (
            <span className="mlestar-Section-aside">{props.aside}</span>
          )}
        </FoldButton>
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
  /** Whether it is used up further: only then is it worth a warning that little is left. */
  readonly isGoing: boolean;
  readonly children?: React.ReactNode;
}): React.JSX.Element {
  const share = props.max > 0 ? Math.min(1, Math.max(0, props.value / props.max)) : 0;
  return (
    <div className="mlestar-Meter">
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
          className={`mlestar-Meter-bar${props.isGoing && share > 0.9 ? ' mlestar-mod-low' : ''}`}
          style={{ width: `${(share * 100).toFixed(1)}%` }}
        />
      </div>
      <p className="mlestar-Meter-text">
        <span aria-hidden>{props.text}</span>
        {props.children}
      </p>
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
