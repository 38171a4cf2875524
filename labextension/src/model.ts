/**
 * The model of the sidebar: follows the notebook in focus, and turns what is known of it into one
 * immutable `PanelState`. What the user asks for is in `actions.ts`.
 */

import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import type { IDisposable } from '@lumino/disposable';
import { type ISignal, Signal } from '@lumino/signaling';

import { NotebookRuns } from './notebook_runs';
import type { Preferences } from './run_cells';
import { EMPTY_PANEL, type PanelState } from './state';

/** The parts of the panel's state that are not told by a notebook. */
type Own = Pick<PanelState, 'page' | 'detail' | 'facts' | 'notice'>;

const NOTHING: ReadonlySet<string> = new Set();

/** What the sidebar shows, for the notebook in focus. */
export class PanelModel implements IDisposable {
  private readonly _stateChanged = new Signal<this, PanelState>(this);
  private readonly notebooks = new Map<NotebookPanel, NotebookRuns>();
  private _state: PanelState = EMPTY_PANEL;
  private _isDisposed = false;
  private isScheduled = false;
  /** Verbs that are under way, by the notebook that they are about. */
  private readonly asking = new WeakMap<object, ReadonlySet<string>>();

  constructor(
    private readonly tracker: INotebookTracker,
    frontEnd: string,
    preferences: () => Preferences
  ) {
    const follow = (_: unknown, panel: NotebookPanel): void => {
      const runs = new NotebookRuns(panel, frontEnd, preferences, this.isAlone);
      this.notebooks.set(panel, runs);
      runs.changed.connect(this.onChanged, this);
      panel.disposed.connect(() => {
        this.notebooks.delete(panel);
        this.update();
      });
      // It may have come into focus before we knew of it.
      this.update();
    };
    tracker.forEach(panel => {
      follow(tracker, panel);
    });
    tracker.widgetAdded.connect(follow);
    tracker.currentChanged.connect(this.onFocus, this);
    this.update();
  }

  get state(): PanelState {
    return this._state;
  }

  /** At most once a frame, however much is heard. */
  get stateChanged(): ISignal<this, PanelState> {
    return this._stateChanged;
  }

  /** The runs of the notebook in focus. */
  get current(): NotebookRuns | null {
    const panel = this.tracker.currentWidget;
    return panel === null ? null : (this.notebooks.get(panel) ?? null);
  }

  /** The runs of a notebook. */
  of(panel: NotebookPanel): NotebookRuns | null {
    return this.notebooks.get(panel) ?? null;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  dispose(): void {
    if (this._isDisposed) {
      return;
    }
    this._isDisposed = true;
    for (const runs of this.notebooks.values()) {
      runs.dispose();
    }
    this.notebooks.clear();
    Signal.clearData(this);
  }

  /** Change what no notebook tells: the page, a notice, and so on. */
  set(change: Partial<Own>): void {
    this._state = { ...this._state, ...change };
    this.schedule();
  }

  /**
   * Note that a verb is under way for the notebook in focus; call what it gives when it has ended.
   * Null if it is under way already.
   */
  begin(verb: string): (() => void) | null {
    const about = this.current ?? this;
    const before = this.asking.get(about) ?? NOTHING;
    if (before.has(verb)) {
      return null;
    }
    const set = (verbs: ReadonlySet<string>): void => {
      this.asking.set(about, verbs);
      this.update();
    };
    set(new Set([...before, verb]));
    return () => {
      const left = new Set(this.asking.get(about));
      left.delete(verb);
      set(left);
    };
  }

  /** Say something to the user. */
  tell(tone: 'error' | 'info', text: string): void {
    this.set({ notice: { tone, text, key: (this._state.notice?.key ?? 0) + 1 } });
  }

  /** Another notebook came into focus: what was open belongs to the one before. */
  private onFocus(): void {
    this._state = { ...this._state, page: { kind: 'run' }, detail: null, facts: null };
    this.update();
  }

  private onChanged(runs: NotebookRuns): void {
    if (runs === this.current) {
      this.update();
    }
  }

  private update(): void {
    const { current } = this;
    const path = current?.panel.context.path;
    const before = this._state;
    const notebook =
      path === undefined
        ? null
        : before.notebook?.path === path
          ? before.notebook
          : { path, name: path.split('/').at(-1) ?? path };
    const run = current?.run ?? null;
    const isOther = run?.run !== before.run?.run;
    this._state = {
      ...before,
      connection: current?.connection ?? { kind: 'no notebook' },
      notebook,
      isKernelBusy: current?.isExecuting ?? false,
      runs: current?.items ?? [],
      run,
      isRestoring: current?.isRestoring ?? false,
      asking: this.asking.get(current ?? this) ?? NOTHING,
      // A candidate's page belongs to its run; a new run comes to the front.
      page: isOther ? { kind: 'run' } : before.page,
      detail: isOther ? null : before.detail
    };
    this.schedule();
  }

  private schedule(): void {
    if (this.isScheduled || this._isDisposed) {
      return;
    }
    this.isScheduled = true;
    // Not an animation frame: those rest while the page is in the background.
    setTimeout(() => {
      this.isScheduled = false;
      if (!this._isDisposed) {
        this._stateChanged.emit(this._state);
      }
    }, 16);
  }

  /** Whether no other open notebook has the same kernel. */
  private readonly isAlone = (runs: NotebookRuns): boolean => {
    const id = runs.kernel?.id;
    return [...this.notebooks.values()].every(other => other === runs || other.kernel?.id !== id);
  };
}
