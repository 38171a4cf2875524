/**
 * The runs of one notebook: hears its kernel, decides which run is shown and whose cells belong
 * there. It works whether or not the notebook is in focus.
 */

import { type NotebookPanel } from '@jupyterlab/notebook';
import type { Kernel } from '@jupyterlab/services';
import type { IDisposable } from '@lumino/disposable';
import { type ISignal, Signal } from '@lumino/signaling';

import { belongs, readMetadata, type SharedNotebook } from './cells';
import { Channel } from './channel';
import { KnownRuns } from './known_runs';
import type {
  EventMessage,
  Greeting,
  KernelMessage,
  RequestType,
  Requests,
  RunItem,
  Snapshot,
  Status
} from './protocol';
import { RunCells, type Preferences } from './run_cells';
import type { Connection, RunState } from './state';

/** What one notebook knows of its runs. */
export class NotebookRuns implements IDisposable {
  private readonly _changed = new Signal<this, void>(this);
  private channel: Channel | null = null;
  private readonly known: KnownRuns;
  private readonly cells: RunCells;
  /** Runs of which this kernel told by itself. */
  private readonly live = new Set<string>();
  private _items: readonly RunItem[] = [];
  private _shown: string | null = null;
  /** Differs for each wish to show a run, so that one that was overtaken gives up. */
  private wish = 0;
  private _isDisposed = false;

  /** `isAlone` says whether no other open notebook has the same kernel. */
  constructor(
    readonly panel: NotebookPanel,
    private readonly frontEnd: string,
    preferences: () => Preferences,
    private readonly isAlone: (runs: NotebookRuns) => boolean
  ) {
    this.known = new KnownRuns(
      run => this.ask('snapshot', { run }),
      run => {
        if (run === this._shown) {
          this.emit();
        }
      }
    );
    this.cells = new RunCells(
      panel,
      (run, headings) => this.ask('cells', { run, headings }),
      preferences
    );
    panel.sessionContext.kernelChanged.connect(this.onKernel, this);
    panel.disposed.connect(this.dispose, this);
    Promise.all([panel.context.ready, panel.sessionContext.ready])
      .then(this.onKernel)
      // It was closed before it was there, or has no kernel: JupyterLab says so.
      .catch(() => undefined);
  }

  /** Something that the sidebar shows has changed. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get connection(): Connection {
    return this.channel?.connection ?? { kind: 'no kernel' };
  }

  get kernel(): Kernel.IKernelConnection | null {
    return this.channel?.kernel ?? null;
  }

  get isExecuting(): boolean {
    return this.channel?.isExecuting ?? false;
  }

  /** The runs that can be asked for, the last one first. */
  get items(): readonly RunItem[] {
    return this._items;
  }

  /** The run that is shown. */
  get run(): RunState | null {
    return this._shown === null ? null : this.known.get(this._shown);
  }

  get isRestoring(): boolean {
    return this._shown !== null && this.known.isAwaited(this._shown);
  }

  /** The notebook itself; null once it is closed. */
  get shared(): SharedNotebook | null {
    return this.cells.shared;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  dispose(): void {
    if (this._isDisposed) {
      return;
    }
    this._isDisposed = true;
    this.channel?.dispose();
    this.channel = null;
    if (!this.panel.isDisposed) {
      this.panel.sessionContext.kernelChanged.disconnect(this.onKernel, this);
    }
    Signal.clearData(this);
  }

  /** Ask the kernel. Rejected with an error whose message is for the user. */
  ask<T extends RequestType>(type: T, asked: Requests[T]['asks']): Promise<Requests[T]['gives']> {
    return this.channel?.ask(type, asked) ?? Promise.reject(new Error('there is no kernel'));
  }

  /** Try once more to reach the kernel. */
  async reconnect(): Promise<void> {
    await this.channel?.connect();
  }

  /** Ask which runs there are. */
  async refresh(): Promise<void> {
    this._items = (await this.ask('runs', {})).runs;
    this.emit();
  }

  /** Show a run; null for the last one of this kernel. Cells of other notebooks' runs stay there. */
  async show(run: string | null): Promise<void> {
    const wish = ++this.wish;
    const before = this._shown;
    if (run !== null) {
      this._shown = run;
    }
    try {
      const snapshot = await this.restore(run);
      if (wish === this.wish) {
        this._shown = snapshot.run;
      }
    } catch (error) {
      if (wish === this.wish) {
        this._shown = before;
      }
      throw error;
    } finally {
      this.emit();
    }
  }

  /**
   * Insert cells of the run that is shown: those with these headings, or all that are not in the
   * notebook. Gives how many headings are new.
   */
  async insertCells(headings?: readonly string[]): Promise<number> {
    const { run } = this;
    if (run === null || this.shared === null) {
      return 0;
    }
    const snapshot = await this.restore(run.run);
    return headings === undefined
      ? this.cells.insertAll(snapshot)
      : this.cells.fetch(snapshot, headings);
  }

  private readonly onKernel = (): void => {
    const kernel = this.isDisposed ? null : (this.panel.sessionContext.session?.kernel ?? null);
    if (this.channel?.kernel === kernel) {
      return;
    }
    this.channel?.dispose();
    this.channel = null;
    this.cutOff();
    if (kernel !== null) {
      const channel = (this.channel = new Channel(kernel, this.frontEnd));
      channel.connectionChanged.connect(this.onConnection, this);
      channel.greeted.connect(this.onGreeted, this);
      channel.heard.connect(this.onHeard, this);
      channel.executingChanged.connect(this.emit, this);
      void channel.connect();
    }
    this.emit();
  };

  private onConnection(_: unknown, connection: Connection): void {
    if (connection.kind !== 'connected') {
      this.cutOff();
    }
    this.emit();
  }

  /** The kernel answers: catch up with the run that the notebook shows. */
  private onGreeted(_: unknown, greeting: Greeting): void {
    this._items = greeting.runs;
    const ours = this.shared === null ? {} : readMetadata(this.shared);
    const attached = greeting.runs.find(item => item.attached)?.run;
    const wanted = this._shown ?? ours.run ?? (this.isAlone(this) ? attached : undefined);
    this.emit();
    if (wanted !== undefined) {
      // A run whose folder is gone: nothing to show, and nothing that the user did wrong.
      this.show(wanted).catch(() => undefined);
    }
  }

  private onHeard(_: unknown, message: KernelMessage): void {
    if (message.type === 'hello') {
      return;
    }
    this.live.add(message.run);
    if (message.type === 'cells') {
      if (this.isOurs(message)) {
        this.cells.hear(message);
      }
    } else if (message.type === 'writing') {
      this.known.hear(message);
    } else if (!this.known.hear(message)) {
      this.meet(message);
    } else if (message.type === 'event' && message.event.kind === 'run_finished') {
      this.cells.save(message.run);
    }
  }

  /** Something was told of a run that is not known, or not as far. */
  private meet(message: EventMessage | Status): void {
    const name = message.run;
    const isNew = this.known.get(name) === null;
    this.restore(name, message)
      .then(snapshot => {
        // A run that begins in this notebook is the one to show.
        if (isNew && this.isOurs(snapshot)) {
          this.wish++;
          this._shown = name;
          this.cells.save(name);
          this.emit();
          void this.refresh().catch(() => undefined);
        }
      })
      .catch(() => undefined);
  }

  /** Ask for a whole run, and bring its cells if they belong here. */
  private async restore(name: string | null, message?: EventMessage | Status): Promise<Snapshot> {
    const event = message?.type === 'event' ? message.event : undefined;
    const snapshot = await this.known.restore(name, event);
    if (this.isOurs(snapshot)) {
      this.cells.catchUp(snapshot);
    }
    return snapshot;
  }

  /** Whether a run's cells belong into this notebook. */
  private isOurs(run: { run: string; prefix: string; anchor: string | null }): boolean {
    const { shared } = this;
    if (shared === null) {
      return false;
    }
    // The cell that began it may be gone; a run of another kernel is only looked at.
    const isOfKernel =
      this.live.has(run.run) || this._items.some(item => item.run === run.run && item.attached);
    return belongs(shared, run) || (isOfKernel && this.isAlone(this));
  }

  /** The kernel is gone, and with it what was heard of it. */
  private cutOff(): void {
    this.known.cutOff();
    this.live.clear();
  }

  private emit(): void {
    if (!this._isDisposed) {
      this._changed.emit();
    }
  }
}
