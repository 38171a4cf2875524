/**
 * What the sidebar shows, as immutable values, and what it can be asked to do.
 *
 * `model.ts` puts a `RunState` beside what is known of the notebook and its kernel. Components render
 * a `PanelState` and call `Actions`; they know neither JupyterLab nor comms.
 */

import type { CandidateDetail, FormFacts, Hello, RunItem } from './protocol';
import type { RunState } from './run_state';

export type * from './run_state';

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
  /** Which way a metric of the user's own is better: `maximize` or `minimize`. */
  readonly direction: string;
  /** Such as `90s`, `10m`, `1h`. */
  readonly time: string;
  /** Dollars; only casts that cost something take it. */
  readonly cost: string;
  readonly agents: string;
  /** Of a cast that asks language models. */
  readonly model: string;
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
  /** Take a candidate back, for good; the best if none is named. */
  undo(candidate?: string): Promise<void>;
  /** Interrupt the kernel: the way to stop a busy one without subshells. */
  interrupt(): Promise<void>;

  /** Accept a candidate; if its cells in the notebook were edited, those are judged. */
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
  direction: '',
  time: '10m',
  cost: '',
  agents: '',
  model: '',
  jobs: '',
  step: false,
  background: false,
  words: ''
};
