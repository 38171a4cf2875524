/** The package in a notebook's kernel: installed and loaded by cells that the notebook keeps. */

import { INSTALL_CELL, LOAD_CELL } from './form';
import type { NotebookRuns } from './notebook_runs';
import { runCell, runOnTop } from './user_cells';

/** Milliseconds that the package may take to be loaded. */
const PATIENCE = 60_000;

/** Write and run the cell that installs the package, then load it. */
export async function install(runs: NotebookRuns): Promise<void> {
  await runOnTop(runs.panel, INSTALL_CELL);
  await load(runs);
}

/** Run the cell that loads the package, written if it is not there; wait for the kernel's word. */
export async function load(runs: NotebookRuns): Promise<void> {
  const written = runs.shared?.cells.find(cell => cell.getSource().trim() === LOAD_CELL);
  if (written !== undefined) {
    await runCell(runs.panel, written.getId());
  } else {
    await runOnTop(runs.panel, LOAD_CELL);
  }
  await connected(runs);
}

function connected(runs: NotebookRuns): Promise<void> {
  return new Promise((resolve, reject) => {
    const look = (): void => {
      if (runs.connection.kind === 'connected') {
        end();
        resolve();
      }
    };
    const end = (): void => {
      clearTimeout(timer);
      runs.changed.disconnect(look);
    };
    const timer = setTimeout(() => {
      end();
      reject(new Error('the package could not be loaded; see the output of the cell'));
    }, PATIENCE);
    runs.changed.connect(look);
    look();
  });
}
