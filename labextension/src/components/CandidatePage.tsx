import * as React from 'react';

import { formatBranch, formatCost, formatSeconds, formatSigned } from '../format';
import { acceptObstacle, hasEnded, standingOf, undoObstacle } from '../selectors';
import type { Actions, Candidate, PanelState, RunState } from '../state';
import { BlockDiff } from './BlockDiff';
import { Button, ButtonRow } from './Button';
import { Checks } from './Checks';
import { decimalsOf, inColumn, shortSpread } from './columns';
import { CandidateLink, Mark, whatOf } from './marks';
import { Outputs } from './Outputs';
import { Section } from './ui';

interface Props {
  readonly state: PanelState;
  readonly run: RunState;
  readonly candidate: Candidate;
  readonly actions: Actions;
}

/** All that is known of one candidate. */
export function CandidatePage(props: Props): React.JSX.Element {
  const { state, run, candidate, actions } = props;
  const { id, plan, stage } = candidate;
  const heading = React.useRef<HTMLHeadingElement>(null);
  React.useEffect(() => {
    heading.current?.focus();
  }, [id]);
  const detail = state.detail?.id === id ? state.detail : null;
  const loaded = detail?.kind === 'loaded' ? detail.detail : null;
  const retry = (): void => {
    actions.open({ kind: 'candidate', id });
  };
  return (
    <article className="mlestar-Page" aria-label={`Candidate ${id}`}>
      <div className="mlestar-Page-head">
        <Button
          label="Back"
          icon="back"
          hint="To the run"
          onPress={() => {
            actions.open({ kind: 'run' });
          }}
        />
        <h2 ref={heading} tabIndex={-1}>
          {id} <Mark standing={standingOf(run, candidate)} isNamed />
        </h2>
      </div>
      <p className="mlestar-Page-title">
        {whatOf(candidate)} <span className="mlestar-faint">{stage}</span>
      </p>
      <Tiles {...props} />
      <Facts {...props} />
      <Tools {...props} />
      {plan !== '' && (
        <Section title="Plan">
          <p className="mlestar-Text">{plan}</p>
        </Section>
      )}
      <Verdict {...props} />
      <Pages pages={loaded?.pages ?? []} />
      <Checks
        checks={loaded?.checks ?? null}
        findings={loaded?.checks?.leakage ?? candidate.findings}
        mendings={candidate.mendings}
      />
      <Section title={loaded?.parent ? `Changes against ${loaded.parent}` : 'Code'}>
        {detail?.kind === 'failed' ? (
          <div className="mlestar-Note mlestar-mod-error">
            <p>{detail.error}</p>
            <Button label="Try again" onPress={retry} />
          </div>
        ) : loaded === null ? (
          <p className="mlestar-Empty" role="status">
            {candidate.status === null ? 'It is under way.' : 'Fetching its code…'}
          </p>
        ) : (
          <Blocks {...props} detail={loaded} />
        )}
      </Section>
    </article>
  );
}

function Tools({ state, run, candidate, actions }: Props): React.JSX.Element {
  const { id } = candidate;
  const off = state.connection.kind === 'connected' ? '' : 'the kernel does not answer';
  const unfinished = off || (candidate.status === null ? 'it is under way' : '');
  const unscored = unfinished || (candidate.score === null ? 'it has no score' : '');
  return (
    <ButtonRow
      label={`Candidate ${id}`}
      asking={state.asking}
      buttons={[
        {
          label: 'Accept',
          hint: `Go on from ${id}; if you edited its cells in the notebook, they are judged`,
          obstacle: off || acceptObstacle(run, id),
          verbs: ['adopt'],
          onPress: () => actions.adopt(id)
        },
        {
          label: 'Reject',
          question: `Take ${id} back, for good?`,
          hint:
            run.best === id
              ? `Take ${id} back, for good: the candidate before is the best again`
              : `Take ${id} back: nothing is made of it any more, unless you accept it`,
          obstacle: off || undoObstacle(run, id),
          verbs: ['undo'],
          onPress: () => actions.undo(id)
        },
        {
          label: 'Insert',
          hint: 'Write its blocks as a cell, to edit and to run',
          obstacle: unfinished,
          verbs: ['insert'],
          onPress: () => actions.insert(id)
        },
        {
          label: 'Show cells',
          hint: 'Scroll to its cells in the notebook',
          obstacle: unfinished,
          verbs: ['reveal'],
          onPress: () => actions.reveal(id)
        },
        {
          label: 'Export',
          hint: `As the notebook candidate-${id}.ipynb`,
          obstacle: unscored,
          verbs: ['export'],
          onPress: () => actions.exportTo(`candidate-${id}.ipynb`, id)
        }
      ]}
    />
  );
}

/** The numbers that one looks for first. */
function Tiles({ run, candidate }: Props): React.JSX.Element {
  const { score, gain, parents, status } = candidate;
  const tiles: readonly (readonly [string, React.ReactNode, React.ReactNode])[] = [
    [
      run.metric,
      score === null
        ? (status ?? 'under way').replaceAll('_', ' ')
        : inColumn(score.value, decimalsOf(run)),
      score !== null && score.spread > 0 && `± ${shortSpread(score.spread)}`
    ],
    [
      'gain',
      gain !== null && formatSigned(Number(gain.toPrecision(3))),
      `over ${parents[0] ?? ''}`
    ],
    ['time', candidate.judged !== null && formatSeconds(candidate.seconds), '']
  ];
  return (
    <dl className="mlestar-Tiles">
      {tiles.map(
        ([name, value, more]) =>
          value !== false && (
            <div key={name} className="mlestar-Tile">
              <dt>{name}</dt>
              <dd>
                {value} <span className="mlestar-Tile-more">{more}</span>
              </dd>
            </div>
          )
      )}
    </dl>
  );
}

function Facts({ run, candidate, actions }: Props): React.JSX.Element {
  const { score, parents, block, spent, debugRounds, executions } = candidate;
  const onOpen = (id: string): void => {
    actions.open({ kind: 'candidate', id });
  };
  const decimals = decimalsOf(run);
  const folds = score !== null && score.folds.length > 1 ? score.folds : [];
  const facts: readonly (readonly [string, React.ReactNode])[] = [
    ['folds', folds.length > 0 && folds.map(value => inColumn(value, decimals)).join(' · ')],
    ['tokens', spent?.tokens.toLocaleString('en-US')],
    ['cost', spent !== null && formatCost(spent.cost)],
    [
      parents.length > 1 ? 'parents' : 'parent',
      parents.length > 0 && (
        <span className="mlestar-Links">
          {parents.map(id => (
            <CandidateLink key={id} run={run} id={id} onOpen={onOpen} />
          ))}
        </span>
      )
    ],
    ['block', block !== null && <code>{block}</code>],
    ['where', formatBranch(candidate.branch, run.settings?.solutions ?? 1)],
    ['debugged', debugRounds > 0 && `${debugRounds} ${debugRounds === 1 ? 'round' : 'rounds'}`],
    [
      'executed',
      executions.length > 1 &&
        executions.map(one => `${one.purpose} ${formatSeconds(one.seconds)}`).join(' · ')
    ]
  ];
  return (
    <dl className="mlestar-Facts">
      {facts.map(([name, value]) =>
        value ? (
          <React.Fragment key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </React.Fragment>
        ) : null
      )}
    </dl>
  );
}

/** What was decided about it, and why. */
function Verdict({ run, candidate }: Props): React.JSX.Element | null {
  const { reason, decisions } = candidate;
  if (reason === '' && decisions.length === 0) {
    return null;
  }
  return (
    <Section title="Verdict">
      <ul className="mlestar-List">
        {reason !== '' && <li>{reason}</li>}
        {decisions.map((decision, i) => (
          <li key={i}>
            <span aria-hidden>{{ accepted: '✓', rejected: '✕', undone: '↶' }[decision.kind]} </span>
            {decision.kind}
            {decision.best && ', the best so far'}
            {withSpace(formatBranch(decision.branch, run.settings?.solutions ?? 1))}
            {decision.reason !== '' && `: ${decision.reason}`}
          </li>
        ))}
      </ul>
    </Section>
  );
}

/** Pages of the web that a language model named. Their words are not ours, nor are addresses. */
function Pages(props: {
  readonly pages: readonly { readonly url: string; readonly title: string }[];
}): React.JSX.Element | null {
  if (props.pages.length === 0) {
    return null;
  }
  return (
    <Section title="Pages of the web">
      <ul className="mlestar-List">
        {props.pages.map(({ url, title }) => (
          <li key={url}>
            {/^https?:\/\//i.test(url) ? (
              <a href={url} target="_blank" rel="noopener noreferrer">
                {title || url}
              </a>
            ) : (
              title || url
            )}
          </li>
        ))}
      </ul>
    </Section>
  );
}

function withSpace(where: string): string {
  return where && ` (${where})`;
}

function Blocks(
  props: Props & {
    readonly detail: Extract<NonNullable<PanelState['detail']>, { kind: 'loaded' }>['detail'];
  }
): React.JSX.Element {
  const { state, run, candidate, actions, detail } = props;
  const off = state.connection.kind === 'connected' ? '' : 'the kernel does not answer';
  const isAtRest = hasEnded(run) || run.standing === 'waiting';
  const isFirst = detail.parent === null;
  const isChanged = (block: { before: string | null; source: string }): boolean =>
    isFirst || block.before !== block.source;
  const order = [...detail.blocks].sort((a, b) => Number(isChanged(b)) - Number(isChanged(a)));
  return (
    <>
      {order.map(block => (
        <BlockDiff
          key={`${detail.id}-${block.name}`}
          name={block.name}
          before={isFirst ? block.source : block.before}
          after={block.source}
          startsFolded={!isChanged(block)}
          tools={
            <Button
              label="Refine"
              name={`Refine the block ${block.name}`}
              hint={
                isAtRest
                  ? `One outer step on ${block.name}`
                  : `Make ${block.name} the target of the next outer step`
              }
              obstacle={off}
              isBusy={state.asking.has('refine') || state.asking.has('pin')}
              isPressed={run.pinned === block.name}
              onPress={() => (isAtRest ? actions.refine(block.name) : actions.pin(block.name))}
            />
          }
        >
          <Outputs outputs={block.outputs} />
        </BlockDiff>
      ))}
      {detail.gone.map(block => (
        <BlockDiff
          key={`${candidate.id}-${block.name}`}
          name={block.name}
          before={block.before}
          after={null}
        />
      ))}
    </>
  );
}
