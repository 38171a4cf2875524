/**
 * What happens in a run: the records of its journal, as types. `docs/run-folder.md` says what the
 * kinds mean.
 */

export type Stage =
  'initialize' | 'merge' | 'check' | 'refine' | 'ablate' | 'ensemble' | 'adopt' | 'finalize';

export type CandidateStatus =
  | 'ok'
  | 'failed'
  | 'timed_out'
  | 'out_of_memory'
  | 'stopped_early'
  | 'cancelled'
  | 'invalid_predictions'
  | 'leaked';

/** What a candidate is worth, by the harness: mean over folds, with its standard error. */
export interface Score {
  readonly value: number;
  readonly folds: readonly number[];
  readonly rows: readonly number[];
  readonly spread: number;
  readonly metric: string;
  readonly greater_is_better: boolean;
  readonly self_scored: boolean;
}

/** One thing that a check saw in a candidate's source. */
export interface Finding {
  readonly rule: string;
  readonly block: string;
  readonly line: number;
  readonly message: string;
  readonly certain: boolean;
}

export interface ModelCard {
  readonly name: string;
  readonly reason: string;
  readonly example: string;
  readonly source: string;
}

/** One variant of an ablation study. `gain`: how much better the block as it is. */
export interface AblationResult {
  readonly block: string;
  readonly change: string;
  readonly candidate: string;
  readonly score: number | null;
  readonly gain: number | null;
  readonly seconds: number;
}

/** What step mode found in one branch, and what it would do next. */
export interface StepReport {
  readonly branch: number;
  readonly number: number;
  readonly of: number;
  readonly incumbent: string;
  readonly found: string;
  readonly next: string;
}

export interface Settings {
  readonly seconds: number;
  readonly jobs: number;
  readonly solutions: number;
  readonly step: boolean;
  readonly agents: string;
  readonly [name: string]: unknown;
}

interface Happened<K extends string> {
  readonly kind: K;
  readonly seq: number;
  /** Seconds since 1970. */
  readonly at: number;
  /** Seconds at work, over all sessions. */
  readonly elapsed: number;
}

interface Proposed {
  readonly id: string;
  readonly stage: Stage;
  readonly title: string;
  readonly plan: string;
  readonly parents: readonly string[];
  readonly block: string | null;
  readonly branch: number;
}

/** One record of the journal; the kinds are described in `docs/run-folder.md`. */
export type RunEvent =
  | (Happened<'run_started'> & {
      readonly version: string;
      readonly task: string;
      readonly settings: Settings;
      readonly metric: string;
      readonly greater_is_better: boolean;
      readonly validation: string;
      readonly isolated: boolean;
    })
  | Happened<'session_started'>
  | (Happened<'settings_changed'> & { readonly settings: Settings })
  | (Happened<'stage_started'> & { readonly stage: Stage; readonly branch: number | null })
  | (Happened<'cards_retrieved'> & { readonly cards: readonly ModelCard[] })
  | (Happened<'candidate_proposed'> & Proposed & { readonly key: string })
  | (Happened<'candidate_executed'> & {
      readonly id: string;
      readonly purpose: string;
      readonly status: CandidateStatus;
      readonly seconds: number;
    })
  | (Happened<'candidate_debugged'> & {
      readonly id: string;
      readonly round: number;
      readonly error: string;
      readonly blocks: readonly string[];
    })
  | (Happened<'candidate_corrected'> & {
      readonly id: string;
      readonly reason: string;
      readonly blocks: readonly string[];
    })
  | (Happened<'candidate_judged'> &
      Proposed & {
        readonly status: CandidateStatus;
        readonly score: Score | null;
        readonly seconds: number;
        readonly slowest: number;
        readonly reason: string;
        readonly debug_rounds: number;
        readonly findings: readonly Finding[];
      })
  | (Happened<'ablation_measured'> & {
      readonly candidate: string;
      readonly branch: number;
      readonly summary: string;
      readonly results: readonly AblationResult[];
    })
  | (Happened<'target_chosen'> & {
      readonly candidate: string;
      readonly branch: number;
      readonly block: string;
      readonly plan: string;
      readonly reason: string;
    })
  | (Happened<'incumbent_changed'> & {
      readonly branch: number;
      readonly id: string;
      readonly best: boolean;
      readonly reason: string;
    })
  | (Happened<'plan_lost'> & {
      readonly branch: number;
      readonly id: string;
      readonly reason: string;
    })
  | (Happened<'branch_finished'> & { readonly branch: number; readonly id: string })
  | (Happened<'submission_written'> & {
      readonly id: string;
      readonly path: string | null;
      readonly seconds: number;
    })
  | (Happened<'finished_notebook_written'> & {
      readonly id: string;
      readonly path: string;
      readonly verdict: string;
      readonly detail: string;
    })
  | (Happened<'unsealed'> & {
      readonly id: string;
      readonly value: number;
      readonly optimism: number;
      readonly rows: number;
    })
  /** One call of a language model; casts without one have none. */
  | (Happened<'llm_called'> & {
      readonly number: number;
      readonly role: string;
      readonly branch: number;
      /** The candidate that is being judged, "" if none is. */
      readonly candidate: string;
      readonly model: string;
      readonly status: string;
      readonly error: string;
      /** Tokens: asked, answered, and thought. */
      readonly prompt: number;
      readonly output: number;
      readonly thoughts: number;
      /** Dollars; null if the price is not known. */
      readonly cost: number | null;
    })
  /** What calls gave: the code of a plan, for example. */
  | (Happened<'role_answered'> & {
      readonly role: string;
      readonly branch: number;
      readonly calls: readonly number[];
      readonly candidate: string;
      readonly plan: string;
      readonly error: string;
    })
  | (Happened<'agents_changed'> & {
      readonly from: string;
      readonly to: string;
      readonly reason: string;
    })
  | (Happened<'step_begun'> & {
      readonly key: string;
      readonly branch: number;
      readonly number: number;
      readonly incumbent: string;
      readonly pin: string | null;
      readonly pin_seq: number | null;
      readonly suggestions: readonly string[];
      readonly suggestion_seqs: readonly number[];
    })
  | (Happened<'step_waiting'> & { readonly reports: readonly StepReport[] })
  | Happened<'paused'>
  | Happened<'resumed'>
  | (Happened<'block_pinned'> & { readonly block: string | null })
  | (Happened<'suggestion_added'> & { readonly text: string })
  | (Happened<'card_added'> & { readonly card: ModelCard })
  | (Happened<'undone'> & {
      readonly branch: number;
      readonly id: string;
      /** Who is the best now; null if another one than the best was undone. */
      readonly to: string | null;
    })
  | (Happened<'note'> & { readonly text: string })
  | (Happened<'run_finished'> & { readonly reason: string });

export type EventKind = RunEvent['kind'];
