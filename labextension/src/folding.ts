/**
 * Headings of candidates fold, so that a notebook stays short. The newest one stays open: folded, it
 * would hide the user's own cells below it, since only the next heading ends what a heading hides.
 */

import { MarkdownCell } from '@jupyterlab/cells';
import type { Notebook } from '@jupyterlab/notebook';

/** Fold the headings of a run before its last one, as far as they were opened by us. */
export class Folding {
  /** Headings that we inserted and that were not folded yet. */
  private readonly open = new Set<string>();

  constructor(private readonly notebook: Notebook) {}

  /** Headings were inserted: fold all before the last one of the run. */
  inserted(headings: readonly string[], prefix: string): void {
    for (const id of headings) {
      this.open.add(id);
    }
    const all = this.notebook.widgets.filter(
      (cell): cell is MarkdownCell =>
        cell instanceof MarkdownCell && cell.model.id.startsWith(`${prefix}-`)
    );
    const active = this.notebook.activeCell;
    const position = new Map(this.notebook.widgets.map((cell, i) => [cell, i]));
    const activeAt = active === null ? -1 : (position.get(active) ?? -1);
    all.slice(0, -1).forEach((cell, i) => {
      const next = all[i + 1];
      const from = position.get(cell) ?? 0;
      const until = next === undefined ? 0 : (position.get(next) ?? 0);
      // What the user is reading or editing stays open.
      if (this.open.has(cell.model.id) && !(activeAt >= from && activeAt < until)) {
        this.open.delete(cell.model.id);
        cell.headingCollapsed = true;
      }
    });
  }
}

/** Unfold a heading, if it is one. */
export function unfold(cell: unknown): void {
  if (cell instanceof MarkdownCell && cell.headingCollapsed) {
    cell.headingCollapsed = false;
  }
}
