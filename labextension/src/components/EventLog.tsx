import * as React from 'react';

import { formatSeconds } from '../format';
import type { RunState } from '../state';
import { Icon } from './Icon';
import { useWidth } from './ui';
import { VirtualList } from './VirtualList';

/** In a narrow panel a line takes two rows of text. */
const ROW = { wide: 24, narrow: 36 };
const NARROW = 380;
const HEIGHT = 252;

const SIGNS = { plain: null, good: 'check', bad: 'alert', user: 'chevron' } as const;

/** What happened, line by line. New lines are read out. */
export function EventLog(props: {
  readonly run: RunState;
  readonly onOpen: (id: string) => void;
}): React.JSX.Element {
  const { log } = props.run;
  const [active, setActive] = React.useState(-1);
  const [box, width] = useWidth(300);
  const last = log.at(-1);
  const chosen = log[active];
  const isNarrow = width < NARROW;
  if (last === undefined) {
    return <p className="mlestar-Empty">Nothing has happened yet.</p>;
  }
  return (
    <div ref={box}>
      <VirtualList
        className={`mlestar-Log${isNarrow ? ' mlestar-mod-narrow' : ''}`}
        role="listbox"
        label="Events. Enter opens the candidate that a line is about."
        count={log.length}
        rowHeight={isNarrow ? ROW.narrow : ROW.wide}
        height={HEIGHT}
        active={active < 0 ? log.length - 1 : active}
        onActive={setActive}
        onOpen={index => {
          const about = log[index]?.candidate;
          if (about) {
            props.onOpen(about);
          }
        }}
        followsEnd
        row={index => {
          const line = log[index];
          return (
            line !== undefined && (
              <div
                className={`mlestar-Log-line${line.candidate === null ? '' : ' mlestar-mod-opens'}`}
                title={line.text}
              >
                <span className="mlestar-Log-time">{formatSeconds(line.elapsed)}</span>
                <span className={`mlestar-Log-mark mlestar-tone-${line.tone}`}>
                  <Sign tone={line.tone} />
                </span>
                <span className="mlestar-Log-text">{line.text}</span>
              </div>
            )
          );
        }}
      />
      {chosen !== undefined && <p className="mlestar-Log-chosen">{chosen.text}</p>}
      <div className="mlestar-sr" aria-live="polite">
        {last.text}
      </div>
    </div>
  );
}

function Sign({ tone }: { readonly tone: keyof typeof SIGNS }): React.JSX.Element | null {
  const name = SIGNS[tone];
  return name === null ? null : <Icon name={name} />;
}
