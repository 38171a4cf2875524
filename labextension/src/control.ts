/**
 * The comm `mlestar.control`: what this page asks of one kernel, over a subshell of its own.
 *
 * JupyterLab's own ways to a subshell wait for the main shell, which hangs when a page is loaded
 * while a cell is busy. So we ask over the control channel, and address each message ourselves.
 */

import { type Kernel, KernelMessage } from '@jupyterlab/services';
import type { JSONObject } from '@lumino/coreutils';
import type { IDisposable } from '@lumino/disposable';

import {
  CONTROL,
  PROTOCOL,
  readReply,
  type Greeting,
  type Requests,
  type RequestType
} from './protocol';

/** Milliseconds that the control channel may take; a kernel that is slower has no subshells. */
const CONTROL_PATIENCE = 20_000;
/** Milliseconds that a kernel with subshells may take for an answer. */
const PATIENCE = 60_000;

/** What the control channel says of a kernel. */
export interface KernelFacts {
  /** "" if it did not say. */
  readonly language: string;
  /** Null if the kernel has no subshells. */
  readonly subshell: string | null;
}

/** The kernel closed the comm at once: the package is not loaded there. */
export class NotLoaded extends Error {}

/** The kernel answered, and would not. */
export class Refused extends Error {}

/** The comm is closed: the kernel restarted, or is gone. */
export class Gone extends Error {}

interface Waiting {
  readonly data: JSONObject;
  readonly timer: ReturnType<typeof setTimeout> | null;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** Ask the control channel about a kernel, and for a subshell. */
export async function meet(kernel: Kernel.IKernelConnection): Promise<KernelFacts> {
  await connected(kernel);
  const info = await askControl(kernel, 'kernel_info_request');
  const language = (info?.language_info as { name?: string } | undefined)?.name ?? '';
  const features = info?.supported_features;
  if (!Array.isArray(features) || !features.includes('kernel subshells')) {
    return { language, subshell: null };
  }
  const made = await askControl(kernel, 'create_subshell_request');
  const subshell = made?.subshell_id;
  return { language, subshell: typeof subshell === 'string' ? subshell : null };
}

/** Give a subshell back: each is a thread in the kernel. */
export function release(kernel: Kernel.IKernelConnection, { subshell }: KernelFacts): void {
  if (subshell !== null && !kernel.isDisposed) {
    void askControl(kernel, 'delete_subshell_request', { subshell_id: subshell });
  }
}

/** One open comm. Dispose it when the kernel is left, or restarts. */
export class Control implements IDisposable {
  private readonly comm: Kernel.IComm;
  private readonly waiting = new Map<string, Waiting>();
  private next = 0;
  private isClosed = false;

  /** Opens the comm; say `hello` next. */
  constructor(
    private readonly kernel: Kernel.IKernelConnection,
    readonly facts: KernelFacts
  ) {
    this.comm = kernel.createComm(CONTROL);
    if ('commsOverSubshells' in this.comm) {
      // We have a subshell of our own, so the comm needs none.
      (this.comm as { commsOverSubshells: string }).commsOverSubshells = 'disabled';
    }
    this.comm.onMsg = message => {
      this.hear(message.content.data);
    };
    this.comm.onClose = () => {
      this.fail(new NotLoaded('the package is not loaded in this kernel'));
      release(this.kernel, this.facts);
    };
    this.send('comm_open', {});
  }

  get isDisposed(): boolean {
    return this.isClosed || this.comm.isDisposed || this.kernel.isDisposed;
  }

  /** The first request. `comm` is the id of the comm for events that we have. */
  hello(frontEnd: string, comm: string | null): Promise<Greeting> {
    return this.ask('hello', { protocol: PROTOCOL, front_end: frontEnd, comm });
  }

  /** Ask, and wait for the reply. Rejected with Refused, NotLoaded or Gone. */
  ask<T extends RequestType>(type: T, asked: Requests[T]['asks']): Promise<Requests[T]['gives']> {
    const id = String(++this.next);
    const data = { ...asked, type, id } as unknown as JSONObject;
    return new Promise<Requests[T]['gives']>((resolve, reject) => {
      if (this.isDisposed) {
        reject(new Gone('the kernel is gone'));
        return;
      }
      const giveUp = (): void => {
        this.waiting.delete(id);
        reject(new Gone(`the kernel did not answer (${type})`));
      };
      // A kernel without subshells answers when its cell has ended, however long that takes.
      const timer = this.facts.subshell === null ? null : setTimeout(giveUp, PATIENCE);
      this.waiting.set(id, { data, timer, resolve, reject });
      this.send('comm_msg', data);
    });
  }

  /** Send again what was not answered, after the connection was lost: nothing is done twice. */
  repeat(): void {
    for (const { data } of this.waiting.values()) {
      this.send('comm_msg', data);
    }
  }

  /** Close the comm and give the subshell back. */
  dispose(): void {
    if (this.isClosed) {
      return;
    }
    this.fail(new Gone('the kernel is gone'));
    if (this.comm.isDisposed || this.kernel.isDisposed) {
      return;
    }
    this.send('comm_close', {});
    this.comm.dispose();
    release(this.kernel, this.facts);
  }

  private hear(data: unknown): void {
    const reply = readReply(data);
    const waiting = reply && this.waiting.get(reply.id);
    if (!reply || !waiting) {
      return;
    }
    this.waiting.delete(reply.id);
    stop(waiting.timer);
    if (reply.ok) {
      waiting.resolve(reply.result);
    } else {
      waiting.reject(new Refused(reply.error ?? 'the kernel refused, and did not say why'));
    }
  }

  private fail(error: Error): void {
    this.isClosed = true;
    for (const { reject, timer } of this.waiting.values()) {
      stop(timer);
      reject(error);
    }
    this.waiting.clear();
  }

  private send(msgType: 'comm_open' | 'comm_msg' | 'comm_close', data: JSONObject): void {
    const content = { comm_id: this.comm.commId, data, target_name: CONTROL };
    const message = KernelMessage.createMessage({
      msgType,
      channel: 'shell',
      username: this.kernel.username,
      session: this.kernel.clientId,
      content
    } as unknown as KernelMessage.IOptions<KernelMessage.ICommMsgMsg<'shell'>>);
    (message.header as { subshell_id?: string | null }).subshell_id = this.facts.subshell;
    this.kernel.sendShellMessage(message, false, true);
  }
}

function stop(timer: ReturnType<typeof setTimeout> | null): void {
  if (timer !== null) {
    clearTimeout(timer);
  }
}

/** Wait until messages reach the kernel. Rejected when the connection is disposed. */
function connected(kernel: Kernel.IKernelConnection): Promise<void> {
  return new Promise((resolve, reject) => {
    const look = (): void => {
      if (kernel.connectionStatus === 'connected') {
        kernel.connectionStatusChanged.disconnect(look);
        resolve();
      }
    };
    kernel.connectionStatusChanged.connect(look);
    kernel.disposed.connect(() => {
      reject(new Gone('the kernel is gone'));
    });
    look();
  });
}

/** The content of the reply to a request on the control channel; null if none comes in time. */
async function askControl(
  kernel: Kernel.IKernelConnection,
  msgType: string,
  content: JSONObject = {}
): Promise<Record<string, unknown> | null> {
  const message = KernelMessage.createMessage({
    msgType,
    channel: 'control',
    username: kernel.username,
    session: kernel.clientId,
    content
  } as unknown as KernelMessage.IOptions<KernelMessage.IDebugRequestMsg>);
  const late = new Promise<null>(resolve => setTimeout(resolve, CONTROL_PATIENCE, null));
  try {
    const reply = await Promise.race([kernel.sendControlMessage(message, true).done, late]);
    return (reply as { content?: Record<string, unknown> } | null)?.content ?? null;
  } catch {
    return null; // the connection was disposed meanwhile
  }
}
