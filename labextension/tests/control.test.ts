// @vitest-environment jsdom
import type { Kernel } from '@jupyterlab/services';
import { describe, expect, it, vi } from 'vitest';

import { Control, Gone, NotLoaded, Refused } from '../src/control';

/** As much of a kernel as a comm needs. */
function kernel(): {
  connection: Kernel.IKernelConnection;
  comm: { onMsg: (m: unknown) => void; onClose: () => void; isDisposed: boolean };
  sent: { type: string; data: Record<string, unknown> }[];
  asked: string[];
} {
  const sent: { type: string; data: Record<string, unknown> }[] = [];
  const asked: string[] = [];
  const comm = {
    commId: 'c',
    isDisposed: false,
    onMsg: () => undefined,
    onClose: () => undefined,
    dispose: () => {
      comm.isDisposed = true;
    }
  };
  const connection = {
    username: 'u',
    clientId: 's',
    isDisposed: false,
    createComm: () => comm,
    sendShellMessage: (message: { header: { msg_type: string }; content: { data: object } }) => {
      sent.push({
        type: message.header.msg_type,
        data: message.content.data as Record<string, unknown>
      });
    },
    sendControlMessage: (message: { header: { msg_type: string } }) => {
      asked.push(message.header.msg_type);
      return { done: Promise.resolve({ content: {} }) };
    }
  };
  return { connection: connection as unknown as Kernel.IKernelConnection, comm, sent, asked };
}

const facts = { language: 'python', subshell: 'sub-1' };

function reply(id: string, more: object): object {
  return { content: { data: { type: 'reply', id, ...more } } };
}

describe('a comm of requests', () => {
  it('gives each reply to its request, whatever else comes', async () => {
    const { connection, comm } = kernel();
    const control = new Control(connection, facts);
    const one = control.ask('runs', {});
    const two = control.ask('runs', {});
    comm.onMsg({ content: { data: 'nonsense' } });
    comm.onMsg(reply('99', { ok: true, result: 'nobody asked' }));
    comm.onMsg(reply('2', { ok: false, error: 'no run' }));
    comm.onMsg(reply('1', { ok: true, result: { runs: [] } }));
    await expect(one).resolves.toEqual({ runs: [] });
    await expect(two).rejects.toThrow(Refused);
  });

  it('gives its subshell back when the package is not loaded, and when it is left', async () => {
    const first = kernel();
    const refused = new Control(first.connection, facts).hello('test', null);
    first.comm.onClose();
    await expect(refused).rejects.toThrow(NotLoaded);
    expect(first.asked).toEqual(['delete_subshell_request']);

    const second = kernel();
    const control = new Control(second.connection, facts);
    const asked = control.ask('runs', {});
    control.dispose();
    control.dispose();
    await expect(asked).rejects.toThrow(Gone);
    expect(second.sent.map(({ type }) => type)).toEqual(['comm_open', 'comm_msg', 'comm_close']);
    expect(second.asked).toEqual(['delete_subshell_request']);
    await expect(control.ask('runs', {})).rejects.toThrow(Gone);
  });

  it('sends what was not answered again, under the same id', () => {
    const { connection, sent } = kernel();
    const control = new Control(connection, facts);
    control.ask('runs', {}).catch(() => undefined);
    control.repeat();
    const ids = sent.filter(({ type }) => type === 'comm_msg').map(({ data }) => data.id);
    expect(ids).toEqual(['1', '1']);
  });

  it('gives up when a kernel with subshells does not answer', async () => {
    vi.useFakeTimers();
    const { connection } = kernel();
    const asked = new Control(connection, facts).ask('runs', {});
    const failed = expect(asked).rejects.toThrow('did not answer (runs)');
    await vi.advanceTimersByTimeAsync(60_000);
    await failed;
    vi.useRealTimers();
  });
});
