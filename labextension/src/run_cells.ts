/** The cells of runs in one notebook: asked for, inserted, folded, and noted in its metadata. */

import type { NotebookPanel } from '@jupyterlab/notebook';

import { insert, missing, readMetadata, writeMetadata, type SharedNotebook } from './cells';
import { Folding } from './folding';
import { HEADINGS_AT_ONCE, type CellsMessage, type Snapshot } from './protocol';

/** What the settings say; read whenever it matters. */
export interface Preferences {
  readonly insertCells: boolean;
  readonly foldCells: boolean;
}

/** Brings cells into one notebook. */
export class RunCells {
  private readonly folding: Folding;
  /** Runs of which cells are still to come: until then nothing is noted that is beyond them. */
  private readonly behind = new Set<string>();

  /** `ask` asks the kernel for the cells below some headings of a run. */
  constructor(
    private readonly panel: NotebookPanel,
    private readonly ask: (run: string, headings: string[]) => Promise<readonly CellsMessage[]>,
    private readonly preferences: () => Preferences
  ) {
    this.folding = new Folding(panel.content);
  }

  /** The notebook itself; null once it is closed. */
  get shared(): SharedNotebook | null {
    return this.panel.isDisposed ? null : (this.panel.content.model?.sharedModel ?? null);
  }

  /** Cells came by themselves. */
  hear(message: CellsMessage): void {
    if (this.preferences().insertCells) {
      this.apply(message, false);
    }
  }

  /** Insert what came while nobody looked. */
  catchUp(snapshot: Snapshot): void {
    const { shared } = this;
    if (shared === null) {
      return;
    }
    writeMetadata(shared, snapshot.run, null);
    if (this.preferences().insertCells) {
      this.behind.add(snapshot.run);
      this.fetch(snapshot, missing(shared, snapshot))
        .then(() => {
          this.behind.delete(snapshot.run);
          writeMetadata(shared, snapshot.run, snapshot.seq);
        })
        .catch(() => undefined);
    }
  }

  /** Insert all cells that are not in the notebook. Gives how many headings are new. */
  async insertAll(snapshot: Snapshot): Promise<number> {
    const { shared } = this;
    if (shared === null) {
      return 0;
    }
    const present = new Set(shared.cells.map(cell => cell.getId()));
    const all = snapshot.tellings.map(({ heading }) => heading).filter(id => !present.has(id));
    const count = await this.fetch(snapshot, all);
    writeMetadata(shared, snapshot.run, snapshot.seq);
    return count;
  }

  /** Ask for the cells below these headings, and insert them. Gives how many headings are new. */
  async fetch(snapshot: Snapshot, headings: readonly string[]): Promise<number> {
    let count = 0;
    for (let at = 0; at < headings.length; at += HEADINGS_AT_ONCE) {
      const some = headings.slice(at, at + HEADINGS_AT_ONCE);
      for (const message of await this.ask(snapshot.run, some)) {
        count += this.apply(message, true);
      }
    }
    return count;
  }

  /** Save at milestones, so that a page that is loaded again finds the run. */
  save(run: string): void {
    const { panel, shared } = this;
    const isOurs = shared !== null && readMetadata(shared).run === run;
    if (isOurs && panel.context.model.dirty && !panel.context.model.readOnly) {
      void panel.context.save().catch(() => undefined);
    }
  }

  private apply(message: CellsMessage, isAsked: boolean): number {
    const { shared } = this;
    if (shared === null) {
      return 0;
    }
    const { headings } = insert(shared, message, { isAsked });
    if (headings.length > 0 && this.preferences().foldCells) {
      this.folding.inserted(headings, message.prefix);
    }
    if (!isAsked && !this.behind.has(message.run)) {
      writeMetadata(shared, message.run, message.seq);
    }
    return headings.length;
  }
}
