/**
 * The messages between a kernel and this front end, as types. `docs/protocol.md` says what they
 * mean; `tests/golden/messages.json` has a real example of each.
 *
 * Pass over what is not known: newer kernels may send more fields, kinds and verbs.
 */

import type { CandidateStatus, Finding, RunEvent, Score, Stage, StepReport } from './events';

export type * from './events';

/** The protocol that we speak; it differs from the package's version. */
export const PROTOCOL = 1;
/** Comm target of what happens: opened by the kernel, and only ever read here. */
export const EVENTS = 'mlestar';
/** Comm target of what is asked: opened here, over a subshell of its own. */
export const CONTROL = 'mlestar.control';
/** Cells of so many candidates may be asked for at once. */
export const HEADINGS_AT_ONCE = 50;

/** What a kernel says of itself. */
export interface Hello {
  readonly type: 'hello';
  readonly protocol: number;
  readonly version: string;
  readonly kernel: {
    readonly python: string;
    readonly ipykernel: string | null;
    readonly subshells: boolean;
    readonly folder: string;
  };
  readonly verbs: readonly string[];
}

export interface EventMessage {
  readonly type: 'event';
  readonly run: string;
  readonly seq: number;
  readonly event: RunEvent;
}

/** What our cells carry in `metadata.mlestar`. */
export interface CellMetadata {
  readonly run: string;
  readonly candidate?: string;
  readonly seq?: number;
  readonly block?: string;
  readonly study?: boolean;
  readonly chart?: string;
}

/** A cell of nbformat 4.5, whole. */
export interface NotebookCell {
  readonly id: string;
  readonly cell_type: 'code' | 'markdown' | 'raw';
  readonly source: string;
  readonly metadata: { readonly mlestar: CellMetadata; readonly [name: string]: unknown };
  readonly outputs?: readonly Output[];
  readonly execution_count?: number | null;
}

/** An output of nbformat 4.5. */
export interface Output {
  readonly output_type: string;
  readonly [name: string]: unknown;
}

/** Cells to insert, or to renew where the user left them as they were. */
export interface CellsMessage {
  readonly type: 'cells';
  readonly run: string;
  readonly seq: number;
  readonly prefix: string;
  readonly anchor: string | null;
  readonly cells: readonly NotebookCell[];
  readonly replaces: Readonly<Record<string, readonly string[]>>;
}

export type Standing = 'working' | 'waiting' | 'paused' | 'finished' | 'stopped' | 'cut off';

export interface Status {
  readonly type: 'status';
  readonly run: string;
  readonly seq: number;
  readonly state: Standing;
  readonly reason: string;
  readonly stage: string;
  readonly elapsed: number;
  readonly limit: number;
  readonly best: CandidateSummary | null;
  readonly counts: {
    readonly candidates: number;
    readonly scored: number;
    readonly ablations: number;
    readonly under_way: number;
  };
  readonly pinned: string | null;
  readonly waiting: readonly StepReport[];
}

/** What an agent is writing just now, by its last words; "" when it is done. Nothing is missed. */
export interface Writing {
  readonly type: 'writing';
  readonly run: string;
  readonly role: string;
  readonly branch: number;
  readonly text: string;
}

export interface CandidateSummary {
  readonly id: string;
  readonly stage: Stage;
  readonly status: CandidateStatus;
  readonly score: Score | null;
}

/** A message on the comm `mlestar`. */
export type KernelMessage = Hello | EventMessage | CellsMessage | Status | Writing;

/** A run that can be asked for. */
export interface RunItem {
  readonly run: string;
  readonly name: string;
  readonly folder: string;
  /** It belongs to this kernel. */
  readonly attached: boolean;
  readonly at_work: boolean;
  /** Seconds since 1970. */
  readonly changed: number;
}

export interface Telling {
  readonly seq: number;
  /** Id of the heading's cell. */
  readonly heading: string;
  readonly candidate: string;
  readonly study: boolean;
}

export interface Snapshot {
  readonly type: 'snapshot';
  readonly run: string;
  readonly seq: number;
  readonly name: string;
  readonly folder: string;
  readonly prefix: string;
  readonly anchor: string | null;
  readonly status: Status;
  readonly events: readonly RunEvent[];
  readonly tellings: readonly Telling[];
}

export interface CandidateBlock {
  readonly name: string;
  readonly source: string;
  /** The parent's source; null if the parent has no such block. */
  readonly before: string | null;
  /** What it gave when fold 1 was executed. */
  readonly outputs: readonly Output[];
}

/** What the checks see in a candidate's source. */
export interface Checks {
  readonly leakage: readonly Finding[];
  readonly used_files: readonly string[];
  readonly unused_files: readonly string[];
  readonly unused_columns: readonly string[];
}

/** A candidate's blocks beside those of its first parent. */
export interface CandidateDetail extends CandidateSummary {
  readonly type: 'candidate';
  readonly run: string;
  readonly parent: string | null;
  readonly blocks: readonly CandidateBlock[];
  /** Blocks of the parent that it has not. */
  readonly gone: readonly { readonly name: string; readonly before: string }[];
  /** Null when they cannot be told. */
  readonly checks: Checks | null;
  /** Pages of the web behind it, as a language model found them; absent in older kernels. */
  readonly pages?: readonly { readonly url: string; readonly title: string }[];
}

/** A DataFrame of the user's namespace. */
export interface Frame {
  readonly name: string;
  readonly rows: number | null;
  readonly columns: readonly string[];
}

/** What the form of a new task may offer. */
export interface FormFacts {
  readonly type: 'form';
  readonly frames: readonly Frame[];
  /** The columns of the data that was named in the request; empty if there is none. */
  readonly columns: readonly string[];
  readonly metrics: readonly { readonly name: string; readonly greater_is_better: boolean }[];
  /** The user's own functions, which may be metrics; absent in older kernels, as the next. */
  readonly functions?: readonly string[];
  /** The casts, with the options that mean something to them alone. */
  readonly agents?: readonly { readonly name: string; readonly options: readonly string[] }[];
  /** Defaults of this kernel, as `%config MLEStar` has them. */
  readonly defaults: { readonly time: string; readonly agents: string; readonly jobs: number };
}

export type Greeting = Hello & { readonly runs: readonly RunItem[] };

/** What can be asked, and what is answered. */
export interface Requests {
  hello: {
    asks: { protocol: number; front_end: string; comm: string | null };
    gives: Greeting;
  };
  runs: { asks: object; gives: { readonly runs: readonly RunItem[] } };
  snapshot: { asks: { run: string | null }; gives: Snapshot };
  cells: { asks: { run: string; headings: string[] }; gives: readonly CellsMessage[] };
  candidate: { asks: { run: string; candidate: string }; gives: CandidateDetail };
  form: { asks: { data: string | null; train: string | null }; gives: FormFacts };
  command: {
    asks: { run: string | null; verb: string; arguments: Record<string, unknown> };
    gives: unknown;
  };
}

export type RequestType = keyof Requests;

export interface Reply {
  readonly type: 'reply';
  readonly id: string;
  readonly ok: boolean;
  readonly result?: unknown;
  readonly error?: string;
}

/** A message of the comm `mlestar`; null if it is none that we know. */
export function readKernelMessage(data: unknown): KernelMessage | null {
  if (!isObject(data)) {
    return null;
  }
  switch (data.type) {
    case 'hello':
      return typeof data.protocol === 'number' ? (data as unknown as Hello) : null;
    case 'event':
      return isAbout(data) && isObject(data.event) ? (data as unknown as EventMessage) : null;
    case 'cells':
      return isAbout(data) && Array.isArray(data.cells) ? (data as unknown as CellsMessage) : null;
    case 'status':
      return isAbout(data) && isObject(data.counts) ? (data as unknown as Status) : null;
    case 'writing':
      return typeof data.run === 'string' && typeof data.text === 'string'
        ? (data as unknown as Writing)
        : null;
    default:
      return null;
  }
}

/** A reply on the comm `mlestar.control`; null if it is none. */
export function readReply(data: unknown): Reply | null {
  const isReply = isObject(data) && data.type === 'reply' && typeof data.ok === 'boolean';
  return isReply ? (data as unknown as Reply) : null;
}

/** Whether a value is an object with names. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isAbout(data: Record<string, unknown>): boolean {
  return typeof data.run === 'string' && typeof data.seq === 'number';
}
