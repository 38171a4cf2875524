/** How a candidate stands, as a symbol, a colour and a word: never as a colour alone. */

import * as React from 'react';

import { type CandidateStanding, standingOf } from '../selectors';
import type { Candidate, RunState } from '../state';

const SYMBOLS: Readonly<Record<CandidateStanding, string>> = {
  'under way': '◔',
  'cut off': '–',
  best: '★',
  incumbent: '◆',
  accepted: '✓',
  undone: '↶',
  rejected: '✕',
  measured: '○',
  scored: '•',
  failed: '!'
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
      <span aria-hidden>{SYMBOLS[standing]}</span>
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
