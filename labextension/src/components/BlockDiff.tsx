import * as React from 'react';

import { type DiffLine, diffLines, hunksOf, sizeOf } from './diff';
import { FoldButton } from './ui';

const SIGNS = { same: ' ', added: '+', removed: '−' } as const;
const WORDS = { same: '', added: 'added: ', removed: 'removed: ' } as const;

/** What changes in one block, line by line. */
export function BlockDiff(props: {
  readonly name: string;
  readonly before: string | null;
  readonly after: string | null;
  readonly startsFolded?: boolean;
  /** What stands in the head of the block, such as its buttons. */
  readonly tools?: React.ReactNode;
  readonly children?: React.ReactNode;
}): React.JSX.Element {
  const { name, before, after } = props;
  const [isOpen, setOpen] = React.useState(props.startsFolded !== true);
  const id = React.useId();
  const lines = React.useMemo(() => diffLines(before ?? '', after ?? ''), [before, after]);
  const { added, removed } = sizeOf(lines);
  const isChanged = added + removed > 0;
  const what = before === null ? 'new' : after === null ? 'removed' : '';
  return (
    <section className="mlestar-Block" aria-label={`Block ${name}`}>
      <div className="mlestar-Block-head">
        <FoldButton
          isOpen={isOpen}
          controls={id}
          onToggle={() => {
            setOpen(!isOpen);
          }}
        >
          <code>{name}</code>
          <span className="mlestar-faint">
            {isChanged ? [what, `+${added} −${removed}`].filter(Boolean).join(' ') : 'unchanged'}
          </span>
        </FoldButton>
        {props.tools}
      </div>
      <div id={id} hidden={!isOpen}>
        {isOpen && (
          <>
            <Lines lines={lines} isChanged={isChanged} />
            {props.children}
          </>
        )}
      </div>
    </section>
  );
}

function Lines(props: {
  readonly lines: readonly DiffLine[];
  readonly isChanged: boolean;
}): React.JSX.Element {
  const { lines, isChanged } = props;
  const [shown, setShown] = React.useState<ReadonlySet<number>>(new Set());
  const hunks = React.useMemo(
    () => (isChanged ? hunksOf(lines) : [{ kind: 'lines' as const, lines }]),
    [lines, isChanged]
  );
  return (
    // The lines are wider than the panel: the keyboard must be able to scroll them.
    // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex
    <div className="mlestar-Diff" role="group" aria-label="Lines" tabIndex={0}>
      <div className="mlestar-Diff-inner">
        {hunks.map((hunk, i) =>
          hunk.kind === 'gap' && !shown.has(i) ? (
            <button
              key={i}
              type="button"
              className="mlestar-Diff-gap"
              onClick={() => {
                setShown(new Set([...shown, i]));
              }}
            >
              {`⋯ ${hunk.lines.length} lines`}
            </button>
          ) : (
            hunk.lines.map((line, j) => (
              <div key={`${i}-${j}`} className={`mlestar-Diff-line mlestar-mod-${line.kind}`}>
                <span className="mlestar-Diff-sign" aria-hidden>
                  {SIGNS[line.kind]}
                </span>
                <span className="mlestar-sr">{WORDS[line.kind]}</span>
                <code>{line.text || ' '}</code>
              </div>
            ))
          )
        )}
      </div>
    </div>
  );
}
