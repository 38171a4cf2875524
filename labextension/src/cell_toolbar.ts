/** The small toolbar below the heading of a candidate's cells: accept, reject, refine, diff. */

import { type Cell, MarkdownCell } from '@jupyterlab/cells';
import type { Notebook, NotebookPanel } from '@jupyterlab/notebook';
import type { PanelLayout } from '@lumino/widgets';
import { Widget } from '@lumino/widgets';

import { metadataOf } from './cells';
import type { PanelModel } from './model';
import type { NotebookRuns } from './notebook_runs';
import { acceptObstacle, hasEnded, undoObstacle } from './selectors';
import type { Actions, RunState } from './state';

const NOT_SHOWN = 'the panel shows another run';

interface Button {
  readonly label: string;
  readonly title: (run: RunState | null, candidate: string) => string;
  /** Why it cannot be used now; "" if it can. */
  readonly obstacle: (run: RunState | null, candidate: string) => string;
  readonly act: (candidate: string, run: RunState | null) => unknown;
}

/** Puts a toolbar below the headings of candidates that are in view, and keeps it up to date. */
export class CellToolbars {
  private readonly toolbars = new Map<Cell, CandidateToolbar>();

  constructor(
    private readonly model: PanelModel,
    private readonly actions: Actions,
    private readonly reveal: () => void
  ) {}

  /** Look after a notebook. */
  follow(panel: NotebookPanel): void {
    const notebook = panel.content;
    const runs = this.model.of(panel);
    if (runs === null) {
      return;
    }
    const look = (_: unknown, cell: Cell): void => {
      this.look(runs, cell);
    };
    const lookAtAll = (): void => {
      for (const cell of notebook.widgets) {
        this.look(runs, cell);
      }
    };
    notebook.cellInViewportChanged.connect(look);
    notebook.modelContentChanged.connect(lookAtAll);
    runs.changed.connect(() => {
      this.refresh(runs, notebook);
    });
    lookAtAll();
  }

  private look(runs: NotebookRuns, cell: Cell): void {
    if (!(cell instanceof MarkdownCell) || !cell.inViewport) {
      return;
    }
    const present = this.toolbars.get(cell);
    if (present !== undefined) {
      // It was out of view, and heard nothing.
      present.refresh(this.runOf(runs, cell));
      return;
    }
    const about = metadataOf(cell.model.sharedModel);
    if (about?.candidate === undefined || about.study === true || about.seq === undefined) {
      return;
    }
    const toolbar = new CandidateToolbar(about.candidate, this.buttons());
    this.toolbars.set(cell, toolbar);
    cell.disposed.connect(() => {
      this.toolbars.delete(cell);
      toolbar.dispose();
    });
    (cell.layout as PanelLayout).addWidget(toolbar);
    toolbar.refresh(this.runOf(runs, cell));
  }

  private refresh(runs: NotebookRuns, notebook: Notebook): void {
    for (const [cell, toolbar] of this.toolbars) {
      if (cell.parent === notebook && cell.inViewport) {
        toolbar.refresh(this.runOf(runs, cell));
      }
    }
  }

  /** The run that is shown, if the cell is of it: the buttons work on that one alone. */
  private runOf(runs: NotebookRuns, cell: Cell): RunState | null {
    const { run } = runs;
    return run !== null && cell.model.id.startsWith(`${run.prefix}-`) ? run : null;
  }

  private buttons(): Button[] {
    const { actions } = this;
    return [
      {
        label: 'Accept',
        title: (_, id) => `Go on from ${id}; if you edited its cells, they are judged`,
        obstacle: (run, id) => (run === null ? NOT_SHOWN : acceptObstacle(run, id)),
        act: id => actions.adopt(id)
      },
      {
        label: 'Reject',
        title: (run, id) =>
          run?.best === id
            ? `Take ${id} back, for good: the candidate before is the best again`
            : `Take ${id} back: nothing is made of it any more, unless you accept it`,
        obstacle: (run, id) => (run === null ? NOT_SHOWN : undoObstacle(run, id)),
        act: id => actions.undo(id)
      },
      {
        label: 'Refine this block',
        title: (run, id) => {
          const block = run?.candidates.get(id)?.block;
          return block ? `Make ${block} the target of the next outer step` : 'Refine a block';
        },
        obstacle: (run, id) => {
          const block = run?.candidates.get(id)?.block;
          return block ? '' : 'more than one block was changed: choose one in the panel';
        },
        act: (id, run) => {
          const block = run?.candidates.get(id)?.block;
          if (run === null || !block) {
            return undefined;
          }
          const isAtRest = hasEnded(run) || run.standing === 'waiting';
          return isAtRest ? actions.refine(block) : actions.pin(block);
        }
      },
      {
        label: 'Show diff',
        title: (_, id) => `What ${id} changes of its parent, in the panel`,
        obstacle: run => (run === null ? NOT_SHOWN : ''),
        act: id => {
          actions.open({ kind: 'candidate', id });
          this.reveal();
        }
      }
    ];
  }
}

class CandidateToolbar extends Widget {
  private readonly nodes: HTMLButtonElement[];
  private run: RunState | null = null;

  constructor(
    private readonly candidate: string,
    private readonly buttons: readonly Button[]
  ) {
    super();
    this.addClass('mlestar-CellToolbar');
    this.node.setAttribute('role', 'toolbar');
    this.node.setAttribute('aria-label', `Candidate ${candidate}`);
    // Else the notebook takes Enter and Space for itself.
    this.node.setAttribute('data-lm-suppress-shortcuts', 'true');
    this.nodes = buttons.map(button => {
      const node = document.createElement('button');
      node.type = 'button';
      node.className = 'mlestar-CellToolbar-button';
      node.textContent = button.label;
      node.addEventListener('click', event => {
        event.stopPropagation();
        if (node.getAttribute('aria-disabled') !== 'true') {
          button.act(candidate, this.run);
        }
      });
      // Else the notebook takes a double click for the wish to edit the heading.
      node.addEventListener('dblclick', event => {
        event.stopPropagation();
      });
      this.node.append(node);
      return node;
    });
  }

  /** Say which buttons can be used now. */
  refresh(run: RunState | null): void {
    this.run = run;
    this.buttons.forEach((button, i) => {
      const node = this.nodes[i];
      if (node !== undefined) {
        const obstacle = button.obstacle(run, this.candidate);
        node.setAttribute('aria-disabled', String(obstacle !== ''));
        node.title = obstacle || button.title(run, this.candidate);
      }
    });
  }
}
