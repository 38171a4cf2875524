/**
 * Cells of runs in a notebook: inserted and renewed as `docs/protocol.md` says, through the shared
 * model, so that each is one undo step and a cell that is inserted twice is one. No other cell is
 * ever touched.
 */

import type { INotebookModel } from '@jupyterlab/notebook';

import type { CellMetadata, CellsMessage, NotebookCell, RunEvent, Snapshot } from './protocol';

export type SharedNotebook = INotebookModel['sharedModel'];
type SharedCell = SharedNotebook['cells'][number];
type NewCell = Parameters<SharedNotebook['insertCells']>[1][number];

/** What we keep in the notebook's metadata, to find a run again. */
export interface NotebookMetadata {
  /** The run that was shown last. */
  readonly run?: string;
  /** For each run, the last event whose cells the notebook has had. */
  readonly told?: Readonly<Record<string, number>>;
}

type Verdict = Extract<RunEvent, { kind: 'incumbent_changed' | 'plan_lost' | 'undone' }>;

/** What was done with a message. */
export interface Inserted {
  /** Ids of the headings that are new. */
  readonly headings: readonly string[];
  /** Whether the notebook was changed at all. */
  readonly isChanged: boolean;
}

/** What we keep in a notebook's metadata; {} in one that we have never seen. */
export function readMetadata(shared: SharedNotebook): NotebookMetadata {
  const found: unknown = shared.getMetadata('mlestar');
  return typeof found === 'object' && found !== null ? found : {};
}

/** Note the run that a notebook shows, and how far it was told of it. */
export function writeMetadata(shared: SharedNotebook, run: string, told: number | null): void {
  const before = readMetadata(shared);
  const known = before.told?.[run] ?? -1;
  const seq = Math.max(known, told ?? -1);
  if (before.run !== run || seq > known) {
    shared.setMetadata('mlestar', { ...before, run, told: { ...before.told, [run]: seq } });
  }
}

/** What one of our cells says of itself; null for any other cell. */
export function metadataOf(cell: SharedCell): CellMetadata | null {
  const found: unknown = cell.getMetadata('mlestar');
  const isOurs = typeof found === 'object' && found !== null && 'run' in found;
  return isOurs ? (found as CellMetadata) : null;
}

/** The index of a cell by its id; -1 if it is not there. */
export function indexOf(shared: SharedNotebook, id: string): number {
  return shared.cells.findIndex(cell => cell.getId() === id);
}

/** The cells of a run, with their indices. */
export function cellsOf(shared: SharedNotebook, prefix: string): [number, SharedCell][] {
  return [...shared.cells.entries()].filter(([, cell]) => isOf(cell, prefix));
}

/** Whether a notebook is where a run's cells belong: it has its cells, its anchor or its name. */
export function belongs(
  shared: SharedNotebook,
  run: { readonly run: string; readonly prefix: string; readonly anchor: string | null }
): boolean {
  return (
    readMetadata(shared).told?.[run.run] !== undefined ||
    shared.cells.some(cell => cell.getId() === run.anchor || isOf(cell, run.prefix))
  );
}

/**
 * Insert or renew the cells of a message. A cell that is only to be renewed is not brought back
 * when the user has deleted it, unless `isAsked`: the user or a restored page asked for it.
 */
export function insert(
  shared: SharedNotebook,
  message: CellsMessage,
  options: { readonly isAsked?: boolean } = {}
): Inserted {
  const known = new Map(shared.cells.map(cell => [cell.getId(), cell]));
  const fresh: NotebookCell[] = [];
  const stale: [SharedCell, NotebookCell][] = [];
  for (const cell of message.cells) {
    const present = known.get(cell.id);
    const earlier = message.replaces[cell.id];
    if (present !== undefined) {
      if (earlier?.includes(present.getSource()) === true) {
        stale.push([present, cell]);
      }
    } else if (earlier === undefined || options.isAsked === true) {
      fresh.push(cell);
    }
  }
  const headings = fresh.filter(cell => cell.cell_type === 'markdown').map(cell => cell.id);
  if (fresh.length === 0 && stale.length === 0) {
    return { headings, isChanged: false };
  }
  inOneStep(shared, () => {
    for (const [present, cell] of stale) {
      present.setSource(cell.source);
      for (const [name, value] of Object.entries(cell.metadata)) {
        present.setMetadata(name, value as Parameters<SharedCell['setMetadata']>[1]);
      }
    }
    if (fresh.length > 0) {
      shared.insertCells(placeFor(shared, message), fresh as unknown as NewCell[]);
    }
  });
  return { headings, isChanged: true };
}

/** The index at which a message's new cells belong. */
export function placeFor(shared: SharedNotebook, message: CellsMessage): number {
  const { cells } = shared;
  let last = -1;
  let first = -1;
  cells.forEach((cell, i) => {
    if (isOf(cell, message.prefix)) {
      first = first < 0 ? i : first;
      last = (metadataOf(cell)?.seq ?? -1) <= message.seq ? i : last;
    }
  });
  if (last >= 0) {
    return last + 1;
  }
  const anchor = message.anchor === null ? -1 : indexOf(shared, message.anchor);
  if (anchor >= 0) {
    return anchor + 1;
  }
  // Without an anchor the run's earliest cells still come before its later ones.
  return first >= 0 ? first : cells.length;
}

/**
 * The headings that a notebook is to ask for: cells that came while it was closed, and headings on
 * which a word was said since. Cells that it had and has no more were deleted by the user.
 */
export function missing(shared: SharedNotebook, snapshot: Snapshot): string[] {
  const told = readMetadata(shared).told?.[snapshot.run] ?? -1;
  const present = new Set(shared.cells.map(cell => cell.getId()));
  const changed = new Set(
    snapshot.events.filter(isVerdict).flatMap(({ seq, id }) => (seq > told ? [id] : []))
  );
  return snapshot.tellings
    .filter(({ seq, heading, candidate, study }) =>
      present.has(heading) ? !study && changed.has(candidate) : seq > told
    )
    .map(({ heading }) => heading);
}

/** The present sources of a candidate's blocks in a notebook, by block. */
export function blocksOf(
  shared: SharedNotebook,
  prefix: string,
  candidate: string
): Record<string, string> {
  const blocks: Record<string, string> = {};
  for (const [, cell] of cellsOf(shared, prefix)) {
    const about = metadataOf(cell);
    if (about?.candidate === candidate && about.block !== undefined) {
      blocks[about.block] = cell.getSource();
    }
  }
  return blocks;
}

/** A code cell of the user's own, at an index; gives its id. */
export function writeCell(shared: SharedNotebook, index: number, source: string): string {
  let id = '';
  inOneStep(shared, () => {
    const [cell] = shared.insertCells(index, [
      // As JupyterLab makes its own: what the user runs from here is theirs.
      { cell_type: 'code', source, metadata: { trusted: true }, outputs: [], execution_count: null }
    ]);
    id = cell?.getId() ?? '';
  });
  return id;
}

/** Do several changes as one undo step of their own. */
export function inOneStep(shared: SharedNotebook, change: () => void): void {
  // Else changes that follow each other within half a second become one step.
  const { undoManager } = shared as unknown as { undoManager?: { stopCapturing(): void } };
  undoManager?.stopCapturing();
  shared.transact(change);
  undoManager?.stopCapturing();
}

function isOf(cell: SharedCell, prefix: string): boolean {
  const id = cell.getId();
  // A user who copies our cells gets other ids, and one who made the id by hand is left alone.
  return (
    prefix !== '' && (id === prefix || id.startsWith(`${prefix}-`)) && metadataOf(cell) !== null
  );
}

function isVerdict(event: RunEvent): event is Verdict {
  return ['incumbent_changed', 'plan_lost', 'undone'].includes(event.kind);
}
