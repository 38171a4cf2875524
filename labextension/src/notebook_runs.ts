/**
 * The runs of one notebook: hears its kernel, keeps the state of each run, and inserts cells where
 * they belong. It works whether or not the notebook is in focus.
 */

import { type NotebookPanel } from '@jupyterlab/notebook';
import type { Kernel } from '@jupyterlab/services';
import type { IDisposable } from '@lumino/disposable';
import { type ISignal, Signal } from '@lumino/signaling';

import {
  belongs,
  insert,
  missing,
  readMetadata,
  writeMetadata,
  type SharedNotebook
} from './cells';
import { Channel } from './channel';
import { Folding } from './folding';
import { HEADINGS_AT_ONCE } from './protocol';
import type {
  CellsMessage,
  Greeting,
  KernelMessage,
  RequestType,
  Requests,
  RunEvent,
  RunItem,
  Snapshot,
  Status
} from './protocol';
import { fromSnapshot, isGap, withEvents, withStatus } from './reducer';
import { hasEnded } from './selectors';
import type { Connection, RunState } from './state';

/** What the settings say; read whenever it matters. */
export interface Preferences {
  readonly insertCells: boolean;
  readonly foldCells: boolean;
}

/** What was heard of a run while its snapshot is on the way. */
interface Awaited {
  readonly events: RunEvent[];
  status: Status | null;
}

/** What one notebook knows of its runs. */
export class NotebookRuns implements IDisposable {
  private readonly _changed = new Signal<this, void>(this);
  private channel: Channel | null = null;
  private readonly known = new Map<string, RunState>();
  private readonly awaited = new Map<string, Awaited>();
  /** Runs of which this kernel told by itself. */
  private readonly live = new Set<string>();
  private readonly folding: Folding;
  private _items: readonly RunItem[] = [];
  private _shown: string | null = null;
  private _isDisposed = false;

  /** `isAlone` says whether no other open notebook has the same kernel. */
  constructor(
    readonly panel: NotebookPanel,
    private readonly frontEnd: string,
    private readonly preferences: () => Preferences,
    private readonly isAlone: (runs: NotebookRuns) => boolean
  ) {
    this.folding = new Folding(panel.content);
    panel.sessionContext.kernelChanged.connect(this.onKernel, this);
    panel.disposed.connect(this.dispose, this);
    void Promise.all([panel.context.ready, panel.sessionContext.ready]).then(this.onKernel);
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
    return this._shown === null ? null : (this.known.get(this._shown) ?? null);
  }

  get isRestoring(): boolean {
    return this._shown !== null && this.awaited.has(this._shown);
  }

  /** The notebook itself; null once it is closed. */
  get shared(): SharedNotebook | null {
    return this.panel.isDisposed ? null : (this.panel.content.model?.sharedModel ?? null);
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
    const before = this._shown;
    if (run !== null) {
      this._shown = run;
    }
    try {
      const { snapshot } = await this.restore(run);
      this._shown = snapshot.run;
    } catch (error) {
      this._shown = before;
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
    const { run, shared } = this;
    if (run === null || shared === null) {
      return 0;
    }
    const { snapshot } = await this.restore(run.run);
    const present = new Set(shared.cells.map(cell => cell.getId()));
    if (headings !== undefined) {
      return this.fetchCells(snapshot, headings);
    }
    const all = snapshot.tellings.map(({ heading }) => heading).filter(id => !present.has(id));
    const count = await this.fetchCells(snapshot, all);
    writeMetadata(shared, snapshot.run, snapshot.seq);
    return count;
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
    if ('run' in message) {
      this.live.add(message.run);
    }
    switch (message.type) {
      case 'event':
        this.onEvent(message.run, message.event);
        break;
      case 'status':
        this.onStatus(message);
        break;
      case 'cells':
        this.onCells(message);
        break;
      default:
    }
  }

  private onEvent(name: string, event: RunEvent): void {
    const awaited = this.awaited.get(name);
    if (awaited !== undefined) {
      awaited.events.push(event);
      return;
    }
    const run = this.known.get(name);
    if (run === undefined || isGap(run, event.seq)) {
      this.restoreQuietly(name, event);
      return;
    }
    this.keep(withEvents(run, [event], Date.now()));
    if (event.kind === 'run_finished') {
      this.save(name);
    }
  }

  private onStatus(status: Status): void {
    const awaited = this.awaited.get(status.run);
    const run = this.known.get(status.run);
    if (awaited !== undefined) {
      awaited.status = status;
    } else if (run === undefined || status.seq > run.seq) {
      this.restoreQuietly(status.run);
    } else {
      this.keep(withStatus(run, status, Date.now()));
    }
  }

  private onCells(message: CellsMessage): void {
    if (this.isOurs(message) && this.preferences().insertCells) {
      this.apply(message, false);
    }
  }

  /** Ask for a whole run, and bring its cells. What is heard meanwhile is applied afterwards. */
  private async restore(name: string | null): Promise<{ snapshot: Snapshot }> {
    const key = name ?? '';
    const awaited = this.awaited.get(key) ?? { events: [], status: null };
    this.awaited.set(key, awaited);
    try {
      const snapshot = await this.ask('snapshot', { run: name });
      const now = Date.now();
      const run = withEvents(fromSnapshot(snapshot, now), awaited.events, now);
      const known = this.known.get(run.run);
      const isOlder = known?.prefix === run.prefix && known.seq > run.seq;
      if (!isOlder) {
        this.keep(awaited.status === null ? run : withStatus(run, awaited.status, now));
      }
      this.catchUp(snapshot);
      return { snapshot };
    } finally {
      this.awaited.delete(key);
      this.emit();
    }
  }

  private restoreQuietly(name: string, event?: RunEvent): void {
    const isNew = !this.known.has(name);
    const restored = this.restore(name);
    if (event !== undefined) {
      this.awaited.get(name)?.events.push(event);
    }
    restored
      .then(({ snapshot }) => {
        // A run that begins in this notebook is the one to show.
        if (isNew && this.isOurs(snapshot)) {
          this._shown = name;
          this.save(name);
          this.emit();
          void this.refresh().catch(() => undefined);
        }
      })
      .catch(() => undefined);
  }

  /** Insert what came while nobody looked, if it belongs here. */
  private catchUp(snapshot: Snapshot): void {
    const { shared } = this;
    if (shared === null || !this.isOurs(snapshot)) {
      return;
    }
    writeMetadata(shared, snapshot.run, null);
    if (this.preferences().insertCells) {
      this.fetchCells(snapshot, missing(shared, snapshot))
        .then(() => {
          writeMetadata(shared, snapshot.run, snapshot.seq);
        })
        .catch(() => undefined);
    }
  }

  private async fetchCells(snapshot: Snapshot, headings: readonly string[]): Promise<number> {
    let count = 0;
    for (let at = 0; at < headings.length; at += HEADINGS_AT_ONCE) {
      const some = headings.slice(at, at + HEADINGS_AT_ONCE);
      const messages = await this.ask('cells', { run: snapshot.run, headings: some });
      for (const message of messages) {
        count += this.apply(message, true);
      }
    }
    return count;
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
    if (!isAsked) {
      writeMetadata(shared, message.run, message.seq);
    }
    return headings.length;
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

  /** Save at milestones, so that a page that is loaded again finds the run. */
  private save(name: string): void {
    const { panel, shared } = this;
    const isOurs = shared !== null && readMetadata(shared).run === name;
    if (isOurs && panel.context.model.dirty && !panel.context.model.readOnly) {
      void panel.context.save().catch(() => undefined);
    }
  }

  /** The kernel is gone: what was at work in it is not any more. */
  private cutOff(): void {
    for (const run of this.known.values()) {
      if (!hasEnded(run)) {
        const clock = { ...run.clock, isGoing: false };
        this.known.set(run.run, { ...run, standing: 'cut off', clock });
      }
    }
    this.awaited.clear();
    this.live.clear();
  }

  private keep(run: RunState): void {
    this.known.set(run.run, run);
    if (run.run === this._shown) {
      this.emit();
    }
  }

  private emit(): void {
    if (!this._isDisposed) {
      this._changed.emit();
    }
  }
}
