/** The messages that the Python side really sends; its own tests compare with the same file. */

import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';

import type {
  CandidateDetail,
  CellsMessage,
  EventMessage,
  FormFacts,
  Greeting,
  Hello,
  Reply,
  RunItem,
  Snapshot,
  Status,
  Writing
} from '../src/protocol';

interface Exchange<T> {
  readonly request: Readonly<Record<string, unknown>>;
  readonly reply: Reply & { readonly result: T };
}

interface Golden {
  readonly protocol: number;
  readonly mlestar: Readonly<
    Record<string, Hello | EventMessage | CellsMessage | Status | Writing>
  >;
  readonly 'mlestar.control': {
    readonly hello: Exchange<Greeting>;
    readonly snapshot: Exchange<Snapshot>;
    readonly cells: Exchange<readonly CellsMessage[]>;
    readonly candidate: Exchange<CandidateDetail>;
    readonly form: Exchange<FormFacts>;
    readonly runs: Exchange<{ readonly runs: readonly RunItem[] }>;
    readonly command: Exchange<unknown>;
    readonly 'unknown verb': Exchange<unknown>;
    readonly 'unknown run': Exchange<unknown>;
    readonly 'version mismatch': Exchange<unknown>;
  };
}

const path = resolve(import.meta.dirname, '../../tests/golden/messages.json');

export const golden = JSON.parse(readFileSync(path, 'utf-8')) as Golden;
export const snapshot = golden['mlestar.control'].snapshot.reply.result;

/** Cells that the kernel tells, by what they are. */
export function cells(name: string): CellsMessage {
  return golden.mlestar[`cells: ${name}`] as CellsMessage;
}

/** Where a run stands, by how it stands. */
export function status(name: string): Status {
  return golden.mlestar[`status: ${name}`] as Status;
}
