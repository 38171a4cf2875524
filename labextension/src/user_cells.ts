/** Cells of the user's own in a notebook: written for them, brought into view, and run. */

import { NotebookActions, type NotebookPanel } from '@jupyterlab/notebook';

import { inOneStep, metadataOf, writeCell, type SharedNotebook } from './cells';

/**
 * Write a cell, by default into the active one if that is empty, or else below it; bring it into
 * view. Gives its index.
 */
export async function write(panel: NotebookPanel, source: string, at?: number): Promise<number> {
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
    await showCell(panel, activeCellIndex);
    return activeCellIndex;
  }
  const index = at ?? below(shared, activeCellIndex);
  writeCell(shared, index, source);
  await showCell(panel, index);
  return index;
}

/** Write a cell above all others and run it; the active cell stays the active one. */
export async function runOnTop(panel: NotebookPanel, source: string): Promise<void> {
  const shared = panel.content.model?.sharedModel;
  if (shared !== undefined) {
    writeCell(shared, 0, source);
    await runCell(panel, 0);
  }
}

/** Run a cell, and wait for its end. */
export async function runCell(panel: NotebookPanel, index: number): Promise<void> {
  const cell = panel.content.widgets[index];
  if (cell === undefined) {
    throw new Error('the cell is gone');
  }
  await panel.sessionContext.ready;
  await NotebookActions.runCells(panel.content, [cell], panel.sessionContext);
}

/** Bring a cell into view and make it the active one. */
export async function showCell(panel: NotebookPanel, index: number): Promise<void> {
  const { content } = panel;
  const cell = content.widgets[index];
  if (cell?.isHidden === true) {
    NotebookActions.expandParent(cell, content);
  }
  content.deselectAll();
  content.activeCellIndex = index;
  await content.scrollToItem(index, 'smart');
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
