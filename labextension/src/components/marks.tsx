/** How a candidate stands, as a symbol, a colour and a word: never as a colour alone. */

import * as React from 'react';

import { type CandidateStanding, standingOf } from '../selectors';
import type { Candidate, RunState } from '../state';
import { Icon, type IconName } from './Icon';

const SIGNS: Readonly<Record<CandidateStanding, IconName>> = {
  'under way': 'half',
  'cut off': 'dash',
  best: 'star',
  incumbent: 'diamond',
  accepted: 'check',
  undone: 'undo',
  rejected: 'close',
  measured: 'ring',
  scored: 'dot',
  failed: 'alert'
};

/** The colours that there are: see `mlestar-tone-` in the style sheet. */
const TONES: Readonly<Record<CandidateStanding, string>> = {
  'under way': 'busy',
  'cut off': 'faint',
  best: 'best',
  incumbent: 'good',
  accepted: 'good',
  undone: 'faint',
  rejected: 'faint',
  measured: 'plain',
  scored: 'plain',
  failed: 'bad'
};

/** The mark of a standing. Its word is in the tooltip, and read where `isNamed`. */
export function Mark(props: {
  readonly standing: CandidateStanding;
  readonly isNamed?: boolean;
}): React.JSX.Element {
  const { standing, isNamed = false } = props;
  return (
    <span className={`mlestar-Mark mlestar-tone-${TONES[standing]}`} title={standing}>
      <Icon name={SIGNS[standing]} />
      {isNamed ? (
        <span className="mlestar-Mark-word">{standing}</span>
      ) : (
        <span className="mlestar-sr">{standing}</span>
      )}
    </span>
  );
}

/** A link to a candidate's page. */
export function CandidateLink(props: {
  readonly run: RunState;
  readonly id: string;
  readonly onOpen: (id: string) => void;
}): React.JSX.Element {
  const { run, id, onOpen } = props;
  const candidate: Candidate | undefined = run.candidates.get(id);
  const standing = candidate === undefined ? '' : standingOf(run, candidate);
  return (
    <button
      type="button"
      className="mlestar-Link"
      title={
        candidate === undefined ? undefined : `${candidate.title || candidate.stage}, ${standing}`
      }
      aria-label={`Candidate ${id}`}
      onClick={() => {
        onOpen(id);
      }}
    >
      {id}
    </button>
  );
}

/** How the title of an ablation study's variant begins. */
const VARIANT = 'without: ';

/** What a candidate is, in a few words: what was planned tells refinements apart, not their title. */
export function whatOf(candidate: Candidate): string {
  const { block, plan, stage, title } = candidate;
  if (block !== null && title.startsWith(VARIANT)) {
    return `${block} without ${title.slice(VARIANT.length)}`;
  }
  const words = stage === 'refine' && plan !== '' ? plan : title || stage;
  return block === null ? words : `${block}: ${words}`;
}
