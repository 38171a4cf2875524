/**
 * What the sidebar shows, as immutable values, and what it can be asked to do.
 *
 * `reducer.ts` makes a `RunState` of a run's events; `model.ts` puts it beside what is known of the
 * notebook and its kernel. Components render a `PanelState` and call `Actions`; they know neither
 * JupyterLab nor comms. `selectors.ts` computes what is derived from a `RunState`.
 */

import type {
  AblationResult,
  CandidateDetail,
  CandidateStatus,
  EventKind,
  Finding,
  FormFacts,
  Hello,
  ModelCard,
  RunItem,
  Score,
  Settings,
  Stage,
  Standing,
  StepReport,
  Telling
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
  readonly tokens: number | null;
  readonly cost: number | null;
  readonly executions: readonly Execution[];
  readonly mendings: readonly Mending[];
  readonly decisions: readonly Decision[];
  /** The run's clock when it was proposed and when it was judged. */
  readonly proposed: number;
  readonly judged: number | null;
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
  /** Whole of it; null as long as no cast told of any. */
  readonly tokens: number | null;
  readonly cost: number | null;

  readonly log: readonly LogLine[];
  /** The groups of cells that can be had, as the last snapshot knew them. */
  readonly tellings: readonly Telling[];
}

/** How we stand with the kernel of the notebook in focus. */
export type Connection =
  | { readonly kind: 'no notebook' }
  | { readonly kind: 'no kernel' }
  /** Its language is not Python. */
  | { readonly kind: 'other language'; readonly language: string }
  /** `isBusy`: a kernel without subshells answers when its cell has ended. */
  | { readonly kind: 'connecting'; readonly isBusy: boolean }
  /** The kernel runs, and nobody there knows of us. `loadPackage` mends it. */
  | { readonly kind: 'not loaded' }
  | { readonly kind: 'not installed' }
  /** The versions differ; `error` says which is older and what to do. */
  | { readonly kind: 'refused'; readonly error: string }
  | { readonly kind: 'lost'; readonly error: string }
  | { readonly kind: 'connected'; readonly hello: Hello };

/** Which page of the sidebar is shown. */
export type Page =
  | { readonly kind: 'run' }
  | { readonly kind: 'form' }
  | { readonly kind: 'candidate'; readonly id: string };

/** Something to tell the user. The sidebar shows the last one until it is dismissed. */
export interface Notice {
  readonly tone: 'error' | 'info';
  readonly text: string;
  /** Differs for each notice. */
  readonly key: number;
}

/** A candidate's page: asked for when it is opened. */
export type Detail =
  | { readonly kind: 'loading'; readonly id: string }
  | { readonly kind: 'failed'; readonly id: string; readonly error: string }
  | { readonly kind: 'loaded'; readonly id: string; readonly detail: CandidateDetail };

/** Everything that the sidebar shows. */
export interface PanelState {
  readonly connection: Connection;
  /** The notebook in focus. */
  readonly notebook: { readonly path: string; readonly name: string } | null;
  readonly isKernelBusy: boolean;
  /** Runs of this kernel and below its folder; the last one first. */
  readonly runs: readonly RunItem[];
  /** The run that is shown. */
  readonly run: RunState | null;
  /** A snapshot was asked for and has not come yet. */
  readonly isRestoring: boolean;
  readonly page: Page;
  readonly detail: Detail | null;
  /** What the form may offer; null until it was asked for. */
  readonly facts: FormFacts | null;
  /** Verbs that are under way, such as `pause`. */
  readonly asking: ReadonlySet<string>;
  readonly notice: Notice | null;
}

/** What the form holds: each field is an option of `%%mlestar`; empty fields are left out. */
export interface TaskForm {
  readonly name: string;
  /** A folder, as the kernel would find it. */
  readonly data: string;
  readonly train: string;
  readonly test: string;
  readonly target: string;
  readonly metric: string;
  /** Such as `90s`, `10m`, `1h`. */
  readonly time: string;
  /** Dollars; only casts that cost something take it. */
  readonly cost: string;
  readonly agents: string;
  /** Candidates side by side, as a number. */
  readonly jobs: string;
  readonly step: boolean;
  readonly background: boolean;
  /** The task in the user's words. */
  readonly words: string;
}

/**
 * What components can ask for. No promise is ever rejected: what went wrong becomes a notice.
 * While a verb is under way its name is in `PanelState.asking`.
 */
export interface Actions {
  /** Write `%load_ext mlestar_jupyter` into the notebook and run it. */
  loadPackage(): Promise<void>;
  /** Write `%pip install mlestar-jupyter` and run it. */
  installPackage(): Promise<void>;
  /** Make a notebook and open it. */
  newNotebook(): Promise<void>;
  /** Try once more to reach the kernel. */
  reconnect(): Promise<void>;

  /** Turn to a page. The page of a candidate asks for its detail. */
  open(page: Page): void;
  /** Show another run; null for the last one of this kernel. */
  showRun(run: string | null): Promise<void>;
  refreshRuns(): Promise<void>;
  dismiss(): void;

  /** Ask what the form may offer, given the folder or the DataFrame that was filled in. */
  refreshFacts(form: Pick<TaskForm, 'data' | 'train'>): Promise<void>;
  /** Let the user choose a folder, relative to the notebook; null if they chose none. */
  pickFolder(): Promise<string | null>;
  /** The `%%mlestar` cell that the form means. */
  cellOf(form: TaskForm): string;
  /** Write that cell into the notebook and run it. */
  start(form: TaskForm): Promise<void>;

  /** Go on: after a pause, with the next step, or after a stop. */
  resume(): Promise<void>;
  pause(): Promise<void>;
  stop(): Promise<void>;
  /** Take the next outer step of a run that waits; on a block of the user's choice if one is named. */
  step(block?: string): Promise<void>;
  refine(block?: string): Promise<void>;
  ablate(): Promise<void>;
  ensemble(): Promise<void>;
  /** Make a block the next target; null takes the pin back. */
  pin(block: string | null): Promise<void>;
  /** Gives whether it was taken. */
  suggest(words: string): Promise<boolean>;
  /** Take the best candidate back, for good. */
  undo(): Promise<void>;
  /** Interrupt the kernel: the way to stop a busy one without subshells. */
  interrupt(): Promise<void>;

  /** Judge what the user made of a candidate's cells in the notebook. */
  adopt(candidate: string): Promise<void>;
  /** Write a `%%mlestar adopt` cell with a candidate's blocks, to edit and to run. */
  insert(candidate: string): Promise<void>;
  /** Scroll to a candidate's cells; they are inserted if they are not there. */
  reveal(candidate: string): Promise<void>;
  /** Insert all cells of the run that are not in the notebook. */
  insertAll(): Promise<void>;
  /** Write an `%mlestar export` cell and run it; the path's suffix says which form. */
  exportTo(path: string, candidate?: string): Promise<void>;
  /** Open a file of the run folder, such as `run.ipynb`. */
  openFile(file: string): Promise<void>;
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
    tokens: null,
    cost: null,
    log: [],
    tellings: []
  };
}

/** What the sidebar shows before anything is known. */
export const EMPTY_PANEL: PanelState = {
  connection: { kind: 'no notebook' },
  notebook: null,
  isKernelBusy: false,
  runs: [],
  run: null,
  isRestoring: false,
  page: { kind: 'run' },
  detail: null,
  facts: null,
  asking: new Set(),
  notice: null
};

/** An empty form. */
export const EMPTY_FORM: TaskForm = {
  name: '',
  data: '',
  train: '',
  test: '',
  target: '',
  metric: '',
  time: '10m',
  cost: '',
  agents: '',
  jobs: '',
  step: false,
  background: false,
  words: ''
};
