/** Cells of the user's own in a notebook: written for them, brought into view, and run. */

import type { Cell } from '@jupyterlab/cells';
import { NotebookActions, type NotebookPanel } from '@jupyterlab/notebook';

import { inOneStep, metadataOf, writeCell, type SharedNotebook } from './cells';

/**
 * Write a cell, by default into the active one if that is empty, or else below it; bring it into
 * view. Gives its id: cells of runs may come in above it at any time.
 */
export async function write(panel: NotebookPanel, source: string, at?: number): Promise<string> {
  const shared = panel.content.model?.sharedModel;
  if (shared === undefined) {
    throw new Error('open a notebook first');
  }
  const { activeCellIndex } = panel.content;
  const active = shared.cells[activeCellIndex];
  const isEmpty = active?.cell_type === 'code' && active.getSource().trim() === '';
  if (at === undefined && isEmpty && metadataOf(active) === null) {
    inOneStep(shared, () => {
      active.setSource(source);
    });
    const id = active.getId();
    await showCell(panel, id);
    return id;
  }
  const id = writeCell(shared, at ?? below(shared, activeCellIndex), source);
  await showCell(panel, id);
  return id;
}

/** Write a cell above all others and run it; the active cell stays the active one. */
export async function runOnTop(panel: NotebookPanel, source: string): Promise<void> {
  const shared = panel.content.model?.sharedModel;
  if (shared !== undefined) {
    await runCell(panel, writeCell(shared, 0, source));
  }
}

/** Run a cell, and wait for its end. */
export async function runCell(panel: NotebookPanel, id: string): Promise<void> {
  await panel.sessionContext.ready;
  const cell = panel.isDisposed ? undefined : panel.content.widgets.find(idIs(id));
  if (cell === undefined) {
    throw new Error('the cell is gone');
  }
  await NotebookActions.runCells(panel.content, [cell], panel.sessionContext);
}

/** Bring a cell into view and make it the active one. */
export async function showCell(panel: NotebookPanel, id: string): Promise<void> {
  const { content } = panel;
  const index = content.widgets.findIndex(idIs(id));
  const cell = content.widgets[index];
  if (cell === undefined) {
    return;
  }
  if (cell.isHidden) {
    NotebookActions.expandParent(cell, content);
  }
  content.deselectAll();
  content.activeCellIndex = index;
  await content.scrollToItem(index, 'smart');
}

function idIs(id: string): (cell: Cell) => boolean {
  return cell => cell.model.id === id;
}

/** The index below a cell; below all cells of a run if it is one of them. */
function below(shared: SharedNotebook, active: number): number {
  const cell = shared.cells[active];
  if (cell === undefined) {
    return shared.cells.length;
  }
  const run = metadataOf(cell)?.run;
  let last = active;
  if (run !== undefined) {
    last = shared.cells.findLastIndex(other => metadataOf(other)?.run === run);
  }
  return last + 1;
}
