/**
 * A run as immutable values: what its events add up to. `reducer.ts` makes it, `selectors.ts`
 * computes what is derived from it.
 */

import type {
  AblationResult,
  CandidateStatus,
  EventKind,
  Finding,
  ModelCard,
  Score,
  Settings,
  Stage,
  Standing,
  StepReport,
  Telling,
  Writing
} from './protocol';

/** One decision about a candidate in a branch (-1: among the ensembles), and why. */
export interface Decision {
  readonly kind: 'accepted' | 'rejected' | 'undone';
  readonly branch: number;
  readonly reason: string;
  /** Whether it became the best of the run. */
  readonly best: boolean;
  /** The candidate that it replaced, or that came back; null if there is none. */
  readonly other: string | null;
  readonly elapsed: number;
}

/** One execution of a candidate's notebook. `purpose`: `fold-1`, ..., `all`, `sealed`. */
export interface Execution {
  readonly purpose: string;
  readonly status: CandidateStatus;
  readonly seconds: number;
}

/** A rewrite on the way to the judgement, by the debugger or by the leakage checker. */
export interface Mending {
  readonly kind: 'debugged' | 'corrected';
  readonly reason: string;
  readonly blocks: readonly string[];
}

/** A candidate: proposed (`status` is null until it is judged), then judged, then decided about. */
export interface Candidate {
  readonly id: string;
  /** The event that proposed it. */
  readonly seq: number;
  readonly stage: Stage;
  readonly title: string;
  readonly plan: string;
  readonly parents: readonly string[];
  readonly block: string | null;
  readonly branch: number;
  /** Null while it is under way. */
  readonly status: CandidateStatus | null;
  readonly score: Score | null;
  /** How much better than its first parent, in the metric's unit; positive is better. */
  readonly gain: number | null;
  readonly seconds: number;
  readonly reason: string;
  readonly debugRounds: number;
  readonly findings: readonly Finding[];
  /** Null as long as no language model was asked for it. */
  readonly spent: Spent | null;
  readonly executions: readonly Execution[];
  readonly mendings: readonly Mending[];
  readonly decisions: readonly Decision[];
  /** The run's clock when it was proposed and when it was judged. */
  readonly proposed: number;
  readonly judged: number | null;
}

/** What language models were asked for: tokens, and dollars as far as prices are known. */
export interface Spent {
  readonly tokens: number;
  readonly cost: number;
}

/** An ablation study; its results in the order of the study. */
export interface Study {
  readonly seq: number;
  readonly candidate: string;
  readonly branch: number;
  readonly summary: string;
  readonly results: readonly AblationResult[];
  readonly elapsed: number;
}

/** The block that an outer step refines. */
export interface Target {
  readonly seq: number;
  readonly candidate: string;
  readonly branch: number;
  readonly block: string;
  readonly plan: string;
  readonly reason: string;
}

/** A stage on the timeline; `until` is null while it goes on. `branch`: null for the whole run. */
export interface StageSpan {
  readonly stage: Stage;
  readonly branch: number | null;
  readonly from: number;
  readonly until: number | null;
}

/** A candidate that became the best of the run. */
export interface BestPoint {
  readonly id: string;
  readonly elapsed: number;
  readonly score: number;
  readonly spread: number;
}

/** One line of the log. */
export interface LogLine {
  readonly seq: number;
  readonly elapsed: number;
  readonly kind: EventKind;
  readonly text: string;
  /** The candidate that it is about. */
  readonly candidate: string | null;
  readonly tone: 'plain' | 'good' | 'bad' | 'user';
}

/** Where the clock stood when we were last told, and whether it goes on. */
export interface Clock {
  readonly elapsed: number;
  readonly limit: number;
  /** `Date.now()` when we were told; add the time since while `isGoing`. */
  readonly at: number;
  readonly isGoing: boolean;
}

/** A run: what its events add up to. */
export interface RunState {
  /** Its name in messages. */
  readonly run: string;
  readonly name: string;
  readonly folder: string;
  /** The last event in it; -1 before the first. */
  readonly seq: number;
  readonly prefix: string;
  readonly anchor: string | null;

  readonly task: string;
  readonly metric: string;
  readonly greaterIsBetter: boolean;
  readonly validation: string;
  readonly isIsolated: boolean;
  readonly settings: Settings | null;

  readonly standing: Standing;
  /** Why it ended; "" before. */
  readonly reason: string;
  readonly stage: string;
  readonly clock: Clock;
  readonly counts: {
    readonly candidates: number;
    readonly scored: number;
    readonly ablations: number;
    readonly underWay: number;
  };

  readonly candidates: ReadonlyMap<string, Candidate>;
  /** Ids in the order in which they were proposed. */
  readonly order: readonly string[];
  /** Ids of candidates without a known parent, and of each one's children by its first parent. */
  readonly roots: readonly string[];
  readonly children: ReadonlyMap<string, readonly string[]>;
  readonly best: string | null;
  /** The incumbent of each branch; -1 is that of the ensembles. */
  readonly incumbents: ReadonlyMap<number, string>;
  /** Undone by the user, for good. */
  readonly undone: ReadonlySet<string>;
  readonly bests: readonly BestPoint[];

  readonly stages: readonly StageSpan[];
  readonly studies: readonly Study[];
  readonly targets: readonly Target[];
  readonly cards: readonly ModelCard[];
  /** The block that the user has pinned and that no outer step has taken up yet. */
  readonly pinned: string | null;
  /** The event that pinned it. */
  readonly pinSeq: number | null;
  readonly suggestions: readonly { readonly seq: number; readonly text: string }[];
  /** Step mode: what was found, while it waits for the user. */
  readonly waiting: readonly StepReport[];

  readonly submission: { readonly id: string; readonly path: string | null } | null;
  readonly finished: {
    readonly id: string;
    readonly path: string;
    readonly verdict: string;
    readonly detail: string;
  } | null;
  readonly unsealed: { readonly value: number; readonly optimism: number } | null;
  /** Whole of it; null as long as no language model was asked. */
  readonly spent: Spent | null;
  /** Of each call by its number, and of plans that no candidate was made of yet. */
  readonly calls: ReadonlyMap<number, Spent>;
  readonly plans: ReadonlyMap<string, Spent>;

  /** What agents are writing just now, by role and branch. */
  readonly writing: ReadonlyMap<string, Writing>;

  readonly log: readonly LogLine[];
  /** The groups of cells that can be had, as the last snapshot knew them. */
  readonly tellings: readonly Telling[];
}

/** A run of which nothing is known yet. */
export function emptyRun(run: string): RunState {
  return {
    run,
    name: run,
    folder: '',
    seq: -1,
    prefix: '',
    anchor: null,
    task: '',
    metric: '',
    greaterIsBetter: false,
    validation: '',
    isIsolated: false,
    settings: null,
    standing: 'working',
    reason: '',
    stage: '',
    clock: { elapsed: 0, limit: 0, at: 0, isGoing: false },
    counts: { candidates: 0, scored: 0, ablations: 0, underWay: 0 },
    candidates: new Map(),
    order: [],
    roots: [],
    children: new Map(),
    best: null,
    incumbents: new Map(),
    undone: new Set(),
    bests: [],
    stages: [],
    studies: [],
    targets: [],
    cards: [],
    pinned: null,
    pinSeq: null,
    suggestions: [],
    waiting: [],
    submission: null,
    finished: null,
    unsealed: null,
    spent: null,
    calls: new Map(),
    plans: new Map(),
    writing: new Map(),
    log: [],
    tellings: []
  };
}
