/**
 * The channel to one kernel: hears what happens there, and asks. It finds out by itself whether the
 * package is loaded, follows restarts and lost connections, and says how things stand.
 */

import type { Kernel, KernelMessage } from '@jupyterlab/services';
import type { IDisposable } from '@lumino/disposable';
import { type ISignal, Signal } from '@lumino/signaling';

import { Control, Gone, meet, NotLoaded, Refused, release } from './control';
import {
  EVENTS,
  readKernelMessage,
  type Greeting,
  type KernelMessage as Heard,
  type Requests,
  type RequestType
} from './protocol';
import type { Connection } from './state';

/** Tells whether the package could be loaded; evaluated silently in an idle kernel. */
const IS_INSTALLED = "__import__('importlib.util').util.find_spec('mlestar_jupyter') is not None";

/** The channel to the kernel behind one notebook. */
export class Channel implements IDisposable {
  private readonly _connectionChanged = new Signal<this, Connection>(this);
  private readonly _greeted = new Signal<this, Greeting>(this);
  private readonly _heard = new Signal<this, Heard>(this);
  private readonly _executingChanged = new Signal<this, boolean>(this);
  private _connection: Connection = { kind: 'connecting', isBusy: false };
  private control: Control | null = null;
  private events: Kernel.IComm | null = null;
  /** Differs for each attempt, so that one that was overtaken gives up. */
  private attempt = 0;
  private isRestarting = false;
  private readonly executing = new Set<string>();
  /** Executions after which the package may be loaded. */
  private readonly promising = new Set<string>();

  /** `frontEnd` says who we are, in words. */
  constructor(
    readonly kernel: Kernel.IKernelConnection,
    private readonly frontEnd: string
  ) {
    kernel.registerCommTarget(EVENTS, this.opened);
    kernel.statusChanged.connect(this.onStatus, this);
    kernel.connectionStatusChanged.connect(this.onConnectionStatus, this);
    kernel.iopubMessage.connect(this.onPublished, this);
    window.addEventListener('pagehide', this.onPageHide);
  }

  get connection(): Connection {
    return this._connection;
  }

  get connectionChanged(): ISignal<this, Connection> {
    return this._connectionChanged;
  }

  /** The kernel said hello: all is to be asked for anew. */
  get greeted(): ISignal<this, Greeting> {
    return this._greeted;
  }

  /** What happened in the kernel. */
  get heard(): ISignal<this, Heard> {
    return this._heard;
  }

  /** Whether cells are being executed. `kernel.status` cannot tell: subshells are idle in between. */
  get isExecuting(): boolean {
    return this.executing.size > 0;
  }

  get executingChanged(): ISignal<this, boolean> {
    return this._executingChanged;
  }

  get isConnected(): boolean {
    return this._connection.kind === 'connected';
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }
  private _isDisposed = false;

  /** Meet the kernel, and find out how things stand. Never rejected. */
  async connect(): Promise<void> {
    const attempt = ++this.attempt;
    const isStale = (): boolean => attempt !== this.attempt || this.isDisposed;
    this.drop();
    this.setConnection({ kind: 'connecting', isBusy: false });
    try {
      const facts = await meet(this.kernel);
      if (isStale()) {
        release(this.kernel, facts);
        return;
      }
      if (facts.language !== '' && facts.language !== 'python') {
        this.setConnection({ kind: 'other language', language: facts.language });
        return;
      }
      if (facts.subshell === null) {
        this.setConnection({ kind: 'connecting', isBusy: this.isExecuting });
      }
      const control = (this.control = new Control(this.kernel, facts));
      const hello = await control.hello(this.frontEnd, this.events?.commId ?? null);
      if (!isStale()) {
        this.setConnection({ kind: 'connected', hello });
        this._greeted.emit(hello);
      }
    } catch (error) {
      if (!isStale()) {
        this.failed(error);
      }
    }
  }

  /** Ask the kernel. Rejected with an error whose message is for the user. */
  ask<T extends RequestType>(type: T, asked: Requests[T]['asks']): Promise<Requests[T]['gives']> {
    if (this.control === null || !this.isConnected) {
      return Promise.reject(new Gone('the kernel is not connected'));
    }
    return this.control.ask(type, asked);
  }

  dispose(): void {
    if (this._isDisposed) {
      return;
    }
    this._isDisposed = true;
    window.removeEventListener('pagehide', this.onPageHide);
    if (!this.kernel.isDisposed) {
      this.kernel.removeCommTarget(EVENTS, this.opened);
    }
    this.drop();
    Signal.clearData(this);
  }

  /** The kernel opened a comm for events: the newest is the one that counts. */
  private readonly opened = (comm: Kernel.IComm, message: KernelMessage.ICommOpenMsg): void => {
    if (this.events !== null && !this.events.isDisposed) {
      this.events.onMsg = () => undefined;
    }
    this.events = comm;
    comm.onMsg = told => {
      this.hear(told.content.data);
    };
    comm.onClose = () => {
      if (this.events === comm) {
        this.events = null;
      }
    };
    this.hear(message.content.data);
    // A run began in a kernel that did not know of us before.
    if (['not loaded', 'not installed', 'lost'].includes(this._connection.kind)) {
      void this.connect();
    }
  };

  private hear(data: unknown): void {
    const message = readKernelMessage(data);
    if (message !== null && message.type !== 'hello') {
      this._heard.emit(message);
    }
  }

  private failed(error: unknown): void {
    this.drop();
    if (error instanceof NotLoaded) {
      this.setConnection({ kind: 'not loaded' });
      void this.lookWhetherInstalled();
    } else if (error instanceof Refused) {
      this.setConnection({ kind: 'refused', error: error.message });
    } else {
      const words = error instanceof Error ? error.message : String(error);
      this.setConnection({ kind: 'lost', error: words });
    }
  }

  private async lookWhetherInstalled(): Promise<void> {
    const { attempt } = this;
    const future = this.kernel.requestExecute({
      code: '',
      silent: true,
      store_history: false,
      allow_stdin: false,
      user_expressions: { found: IS_INSTALLED }
    });
    const reply = await future.done.catch(() => null);
    const found =
      reply?.content.status === 'ok'
        ? (reply.content.user_expressions.found as { data?: Record<string, unknown> } | undefined)
        : undefined;
    const isAbsent = found?.data?.['text/plain'] === 'False';
    if (isAbsent && attempt === this.attempt && this._connection.kind === 'not loaded') {
      this.setConnection({ kind: 'not installed' });
    }
  }

  private drop(): void {
    this.control?.dispose();
    this.control = null;
  }

  private setConnection(connection: Connection): void {
    this._connection = connection;
    this._connectionChanged.emit(connection);
  }

  private onStatus(_: unknown, status: Kernel.Status): void {
    if (status === 'restarting' || status === 'autorestarting') {
      this.isRestarting = true;
      this.attempt++;
      this.events = null;
      this.drop();
      this.executing.clear();
      this.promising.clear();
      this._executingChanged.emit(false);
      this.setConnection({ kind: 'connecting', isBusy: false });
    } else if (this.isRestarting && (status === 'idle' || status === 'busy')) {
      // Not earlier: the kernel that goes would swallow the question.
      this.isRestarting = false;
      void this.connect();
    } else if (status === 'dead') {
      this.attempt++;
      this.drop();
      this.setConnection({ kind: 'lost', error: 'the kernel is dead; restart it' });
    }
  }

  private onConnectionStatus(_: unknown, status: Kernel.ConnectionStatus): void {
    if (status === 'connected' && this.isConnected && this.control !== null) {
      // Replies and events were lost meanwhile.
      const { connection, control } = this;
      control.repeat();
      void control
        .ask('runs', {})
        .then(({ runs }) => {
          if (connection.kind === 'connected' && control === this.control) {
            this._greeted.emit({ ...connection.hello, runs });
          }
        })
        .catch(() => undefined);
    }
  }

  /** Note which cells are executed, and look again after one that may have loaded the package. */
  private onPublished(_: unknown, message: KernelMessage.IIOPubMessage): void {
    const parent = message.parent_header as { msg_id?: string; msg_type?: string };
    const id = parent.msg_id ?? '';
    const type = message.header.msg_type;
    if (type === 'execute_input') {
      const { code } = message.content as { code: string };
      if (code.includes('mlestar')) {
        this.promising.add(id);
      }
      return;
    }
    if (type !== 'status' || parent.msg_type !== 'execute_request') {
      return;
    }
    const before = this.isExecuting;
    if ((message.content as { execution_state: string }).execution_state === 'idle') {
      this.executing.delete(id);
      if (this.promising.delete(id) && !this.isConnected) {
        void this.connect();
      }
    } else {
      this.executing.add(id);
    }
    if (before !== this.isExecuting) {
      this._executingChanged.emit(this.isExecuting);
    }
  }

  private readonly onPageHide = (): void => {
    this.drop();
  };
}
