/** What the user can ask for. Errors become notices; see `Actions` in `state.ts`. */

import { PathExt } from '@jupyterlab/coreutils';
import type { NotebookPanel } from '@jupyterlab/notebook';

import { blocksOf, cellsOf, indexOf, metadataOf } from './cells';
import { unfold } from './folding';
import { adoptCell, exportCell, taskCell } from './form';
import { install, load } from './loading';
import type { PanelModel } from './model';
import type { NotebookRuns } from './notebook_runs';
import { isObject } from './protocol';
import type { Actions, Detail, Page, RunState, TaskForm } from './state';
import type { Surroundings } from './surroundings';
import { runCell, showCell, write } from './user_cells';

/** The actions of the sidebar, on the notebook in focus. */
export class PanelActions implements Actions {
  constructor(
    private readonly model: PanelModel,
    private readonly surroundings: Surroundings
  ) {}

  loadPackage = (): Promise<void> =>
    this.attempt('load', async () => {
      await load(this.notebook());
    });

  installPackage = (): Promise<void> =>
    this.attempt('install', async () => {
      await install(this.notebook());
    });

  newNotebook = (): Promise<void> =>
    this.attempt('new notebook', () => this.surroundings.newNotebook());

  reconnect = (): Promise<void> => this.attempt('reconnect', () => this.notebook().reconnect());

  open = (page: Page): void => {
    this.model.set({ page });
    if (page.kind === 'candidate') {
      void this.askDetail(page.id);
    }
  };

  showRun = (run: string | null): Promise<void> =>
    this.attempt('show', async () => {
      await this.notebook().show(run);
      this.model.set({ page: { kind: 'run' }, detail: null });
    });

  refreshRuns = (): Promise<void> => this.attempt('runs', () => this.notebook().refresh());

  dismiss = (): void => {
    this.model.set({ notice: null });
  };

  refreshFacts = async (form: Pick<TaskForm, 'data' | 'train'>): Promise<void> => {
    const runs = this.model.current;
    if (runs?.connection.kind !== 'connected') {
      return;
    }
    try {
      const data = form.data.trim() || null;
      const train = form.train.trim() || null;
      this.model.set({ facts: await runs.ask('form', { data, train }) });
    } catch {
      // The form works without: what it cannot offer is typed.
    }
  };

  pickFolder = async (): Promise<string | null> => {
    let folder: string | null = null;
    await this.attempt('folder', async () => {
      const from = PathExt.dirname(this.notebook().panel.context.path);
      const picked = await this.surroundings.pickFolder(from);
      // Relative to the notebook: there the kernel is.
      folder = picked === null ? null : PathExt.relative(from, picked) || '.';
    });
    return folder;
  };

  cellOf = (form: TaskForm): string => taskCell(form);

  start = (form: TaskForm): Promise<void> =>
    this.attempt('start', async () => {
      const runs = this.notebook();
      if (runs.connection.kind !== 'connected') {
        await load(runs);
      }
      this.model.set({ page: { kind: 'run' } });
      this.runLater(runs.panel, await write(runs.panel, taskCell(form)));
    });

  resume = (): Promise<void> => this.command('resume');
  pause = (): Promise<void> => this.command('pause');
  stop = (): Promise<void> => this.command('stop');
  ablate = (): Promise<void> => this.command('ablate');
  ensemble = (): Promise<void> => this.command('ensemble');
  undo = (candidate?: string): Promise<void> =>
    this.command('undo', candidate === undefined ? {} : { candidate });
  pin = (block: string | null): Promise<void> => this.command('pin', { block });

  step = (block?: string): Promise<void> =>
    block === undefined ? this.command('resume') : this.command('refine', { block });

  refine = (block?: string): Promise<void> =>
    this.command('refine', block === undefined ? {} : { block });

  suggest = async (words: string): Promise<boolean> => {
    let isTaken = false;
    await this.attempt('suggest', async () => {
      const meaning = await this.ask('suggest', { words });
      isTaken = true;
      if (typeof meaning === 'string' && meaning !== '') {
        this.model.tell('info', `understood as: ${meaning}`);
      }
    });
    return isTaken;
  };

  interrupt = (): Promise<void> =>
    this.attempt('interrupt', async () => {
      await this.notebook().kernel?.interrupt();
    });

  adopt = (candidate: string): Promise<void> =>
    this.attempt('adopt', async () => {
      const { shared } = this.notebook();
      const blocks = shared === null ? {} : blocksOf(shared, this.run().prefix, candidate);
      const said = await this.ask('adopt', { candidate, blocks });
      if (typeof said === 'string' && said !== '') {
        this.model.tell('info', said);
      }
    });

  insert = (candidate: string): Promise<void> =>
    this.attempt('insert', async () => {
      const runs = this.notebook();
      const run = this.run();
      const detail = await runs.ask('candidate', { run: run.run, candidate });
      const text = adoptCell(detail, this.otherRun(run));
      const cells = runs.shared === null ? [] : cellsOf(runs.shared, run.prefix);
      const last = cells.filter(([, cell]) => metadataOf(cell)?.candidate === candidate).at(-1);
      await write(runs.panel, text, last === undefined ? undefined : last[0] + 1);
    });

  reveal = (candidate: string): Promise<void> =>
    this.attempt('reveal', async () => {
      const runs = this.notebook();
      const { shared } = runs;
      const heading = `${this.run().prefix}-${candidate}`;
      if (shared === null) {
        return;
      }
      if (indexOf(shared, heading) < 0) {
        await runs.insertCells([heading]);
      }
      if (indexOf(shared, heading) < 0) {
        throw new Error(`${candidate} has no cells: variants of a study are rows of its table`);
      }
      await showCell(runs.panel, heading);
      unfold(runs.panel.content.widgets.find(cell => cell.model.id === heading));
    });

  insertAll = (): Promise<void> =>
    this.attempt('insert all', async () => {
      const count = await this.notebook().insertCells();
      if (count === 0) {
        this.model.tell('info', 'all cells of this run are in the notebook');
      }
    });

  exportTo = (path: string, candidate?: string): Promise<void> =>
    this.attempt('export', async () => {
      const { panel } = this.notebook();
      const text = exportCell(path, candidate ?? null, this.otherRun(this.run()));
      this.runLater(panel, await write(panel, text));
    });

  openFile = (file: string): Promise<void> =>
    this.attempt('open', async () => {
      const { panel, connection } = this.notebook();
      const run = this.run();
      const kernelFolder = connection.kind === 'connected' ? connection.hello.kernel.folder : '';
      const isBelow = kernelFolder !== '' && run.folder.startsWith(`${kernelFolder}/`);
      const folder = isBelow ? run.folder.slice(kernelFolder.length + 1) : run.run;
      const path = PathExt.join(PathExt.dirname(panel.context.path), folder, file);
      try {
        await this.surroundings.openFile(path);
      } catch {
        throw new Error(`${file} cannot be opened here; it is in ${run.folder}`);
      }
    });

  private async askDetail(id: string): Promise<void> {
    const loading: Detail = { kind: 'loading', id };
    this.model.set({ detail: loading });
    let detail: Detail;
    try {
      const run = this.run().run;
      const found = await this.notebook().ask('candidate', { run, candidate: id });
      detail = { kind: 'loaded', id, detail: found };
    } catch (error) {
      detail = { kind: 'failed', id, error: words(error) };
    }
    // Unless another page was opened meanwhile, be it of the same id in another notebook.
    if (this.model.state.detail === loading) {
      this.model.set({ detail });
    }
  }

  /** A verb of the kernel; what it says is not shown, since its events tell. */
  private command(verb: string, given: Record<string, unknown> = {}): Promise<void> {
    return this.attempt(verb, async () => {
      await this.ask(verb, given);
    });
  }

  private ask(verb: string, given: Record<string, unknown>): Promise<unknown> {
    const run = this.run().run;
    return this.notebook().ask('command', { run, verb, arguments: given });
  }

  /** Do something that may fail, and say while it is under way. */
  private async attempt(verb: string, work: () => Promise<void>): Promise<void> {
    const end = this.model.begin(verb);
    if (end === null) {
      return;
    }
    const { current } = this.model;
    this.model.set({ notice: null });
    try {
      await work();
    } catch (error) {
      // Another notebook may be in focus by now.
      const where = current === this.model.current ? '' : `${nameOf(current)}: `;
      this.model.tell('error', where + words(error));
    } finally {
      end();
    }
  }

  private notebook(): NotebookRuns {
    const { current } = this.model;
    if (current === null) {
      throw new Error('open a notebook first');
    }
    return current;
  }

  private run(): RunState {
    const run = this.notebook().run;
    if (run === null) {
      throw new Error('there is no run yet; start one');
    }
    return run;
  }

  /** The run's folder if magics would take another run, the last one of the kernel. */
  private otherRun(run: RunState): string | null {
    const last = this.notebook().items.find(item => item.attached);
    return last?.run === run.run ? null : run.run;
  }

  /** Run a cell without waiting for its end: a run may take hours. */
  private runLater(panel: NotebookPanel, id: string): void {
    runCell(panel, id).catch((error: unknown) => {
      this.model.tell('error', words(error));
    });
  }
}

function nameOf(runs: NotebookRuns | null): string {
  return runs === null || runs.panel.isDisposed
    ? 'a notebook that was closed'
    : PathExt.basename(runs.panel.context.path);
}

function words(error: unknown): string {
  if (error instanceof Error) {
    return error.message;
  }
  return isObject(error) ? JSON.stringify(error) : String(error);
}
