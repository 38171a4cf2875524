import { describe, expect, it, vi } from 'vitest';

import { KnownRuns } from '../src/known_runs';
import type { EventMessage, RunEvent, Snapshot } from '../src/protocol';
import { snapshot, status } from './golden';

const { run: name, seq } = snapshot;

/** A kernel that answers when the test lets it. */
function kernel(): {
  runs: KnownRuns;
  changed: ReturnType<typeof vi.fn>;
  answer: (with_: Snapshot | Error) => Promise<void>;
} {
  const waiting: { resolve: (s: Snapshot) => void; reject: (e: Error) => void }[] = [];
  const ask = (): Promise<Snapshot> =>
    new Promise((resolve, reject) => {
      waiting.push({ resolve, reject });
    });
  const changed = vi.fn();
  const answer = async (given: Snapshot | Error): Promise<void> => {
    const first = waiting.shift();
    if (given instanceof Error) {
      first?.reject(given);
    } else {
      first?.resolve(given);
    }
    await new Promise(resolve => setTimeout(resolve));
  };
  return { runs: new KnownRuns(ask, changed), changed, answer };
}

function note(at: number): EventMessage {
  const event = { kind: 'note', text: `note ${at}`, seq: at, at: 0, elapsed: 0 } as RunEvent;
  return { type: 'event', run: name, seq: at, event };
}

describe('the runs of a kernel', () => {
  it('are asked for when something is told of one that is not known', async () => {
    const { runs, answer } = kernel();
    expect(runs.hear(note(3))).toBe(false);
    const restored = runs.restore(name);
    expect(runs.isAwaited(name)).toBe(true);
    await answer(snapshot);
    await restored;
    expect(runs.isAwaited(name)).toBe(false);
    expect(runs.get(name)?.seq).toBe(seq);
  });

  it('take what is heard while a snapshot is on the way, each once', async () => {
    const { runs, answer } = kernel();
    const restored = runs.restore(name);
    expect(runs.hear(note(seq))).toBe(true);
    expect(runs.hear(note(seq + 1))).toBe(true);
    expect(runs.hear({ ...status('paused'), run: name, seq: seq + 1 })).toBe(true);
    await answer(snapshot);
    await restored;
    expect(runs.get(name)?.seq).toBe(seq + 1);
    expect(runs.get(name)?.standing).toBe('paused');
    expect(runs.get(name)?.log.filter(line => line.text.startsWith('note'))).toHaveLength(1);
  });

  it('are asked for again after a gap, and when a status knows more', async () => {
    const { runs, answer } = kernel();
    const restored = runs.restore(name);
    await answer(snapshot);
    await restored;
    expect(runs.hear(note(seq + 1))).toBe(true);
    expect(runs.hear(note(seq + 3))).toBe(false);
    expect(runs.hear({ ...status('paused'), run: name, seq: seq + 2 })).toBe(false);
  });

  it('do not go back when an older snapshot comes late', async () => {
    const { runs, answer } = kernel();
    const both = [runs.restore(name), runs.restore(name)];
    await answer(snapshot);
    runs.hear(note(seq + 1));
    await answer(snapshot);
    await Promise.all(both);
    expect(runs.get(name)?.seq).toBe(seq + 1);
  });

  it('are new ones when they begin again under the name of another', async () => {
    const { runs, answer } = kernel();
    const restored = runs.restore(name);
    await answer(snapshot);
    await restored;
    const begun = snapshot.events.slice(0, 1);
    for (const event of begun) {
      expect(runs.hear({ type: 'event', run: name, seq: 0, event })).toBe(false);
    }
    const again = runs.restore(name);
    const other = { ...snapshot, prefix: 'another', seq: 0, events: begun };
    await answer({ ...other, status: { ...snapshot.status, seq: 0 } });
    await again;
    expect(runs.get(name)?.seq).toBe(0);
    expect(runs.get(name)?.prefix).toBe('another');
  });

  it('can be asked for again after an answer that failed', async () => {
    const { runs, answer, changed } = kernel();
    const restored = runs.restore(name);
    const failed = expect(restored).rejects.toThrow('gone');
    await answer(new Error('gone'));
    await failed;
    expect(runs.isAwaited(name)).toBe(false);
    expect(changed).toHaveBeenCalledWith(name);
    expect(runs.hear(note(seq + 1))).toBe(false);
  });

  it('are cut off with their kernel', async () => {
    const { runs, answer } = kernel();
    const restored = runs.restore(name);
    await answer({ ...snapshot, status: status('working') });
    await restored;
    runs.cutOff();
    const { standing } = runs.get(name) ?? {};
    expect(['cut off', 'finished', 'stopped']).toContain(standing);
    expect(runs.get(name)?.clock.isGoing).toBe(false);
  });
});
