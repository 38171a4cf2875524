/** What a kernel tells of its runs: each as its events add up, and asked for where one is missing. */

import type { EventMessage, RunEvent, Snapshot, Status, Writing } from './protocol';
import { fromSnapshot, isGap, withEvents, withStatus, withWriting } from './reducer';
import { hasEnded } from './selectors';
import type { RunState } from './state';

/** What was heard of a run while its snapshot is on the way. */
interface Awaited {
  readonly events: RunEvent[];
  status: Status | null;
}

/** The runs that are known, by their names in messages. */
export class KnownRuns {
  private readonly known = new Map<string, RunState>();
  private readonly awaited = new Map<string, Awaited>();

  /** `ask` asks the kernel for a snapshot; `onChanged` hears of each run that is another now. */
  constructor(
    private readonly ask: (run: string | null) => Promise<Snapshot>,
    private readonly onChanged: (run: string) => void
  ) {}

  get(name: string): RunState | null {
    return this.known.get(name) ?? null;
  }

  /** Whether its snapshot is on the way. */
  isAwaited(name: string): boolean {
    return this.awaited.has(name);
  }

  /** Take a message into account. False if the whole run must be asked for: see `restore`. */
  hear(message: EventMessage | Status | Writing): boolean {
    if (message.type === 'writing') {
      const run = this.known.get(message.run);
      if (run !== undefined) {
        this.keep(withWriting(run, message));
      }
      return true;
    }
    return message.type === 'event' ? this.hearEvent(message) : this.hearStatus(message);
  }

  /**
   * Ask for a whole run, null for the last one; gives its snapshot. What is heard meanwhile is
   * applied afterwards, `event` as well.
   */
  async restore(name: string | null, event?: RunEvent): Promise<Snapshot> {
    const key = name ?? '';
    const awaited = this.awaited.get(key) ?? { events: [], status: null };
    this.awaited.set(key, awaited);
    if (event !== undefined) {
      awaited.events.push(event);
    }
    try {
      const snapshot = await this.ask(name);
      const now = Date.now();
      const run = withEvents(fromSnapshot(snapshot, now), awaited.events, now);
      const known = this.known.get(run.run);
      const isOlder = known?.prefix === run.prefix && known.seq > run.seq;
      if (!isOlder) {
        this.keep(awaited.status === null ? run : withStatus(run, awaited.status, now));
      }
      return snapshot;
    } finally {
      this.awaited.delete(key);
      this.onChanged(key);
    }
  }

  /** The kernel is gone: what was at work in it is not any more. */
  cutOff(): void {
    for (const run of this.known.values()) {
      if (!hasEnded(run)) {
        const clock = { ...run.clock, isGoing: false };
        this.known.set(run.run, { ...run, standing: 'cut off', clock });
      }
    }
    this.awaited.clear();
  }

  private hearEvent({ run: name, event }: EventMessage): boolean {
    const awaited = this.awaited.get(name);
    if (awaited !== undefined) {
      awaited.events.push(event);
      return true;
    }
    const run = this.known.get(name);
    // Its first event, again: the folder was removed, and another run has its name.
    const isOther = event.kind === 'run_started' && run !== undefined && run.seq >= 0;
    if (run === undefined || isOther || isGap(run, event.seq)) {
      return false;
    }
    this.keep(withEvents(run, [event], Date.now()));
    return true;
  }

  private hearStatus(status: Status): boolean {
    const awaited = this.awaited.get(status.run);
    if (awaited !== undefined) {
      awaited.status = status;
      return true;
    }
    const run = this.known.get(status.run);
    if (run === undefined || status.seq > run.seq) {
      return false;
    }
    this.keep(withStatus(run, status, Date.now()));
    return true;
  }

  private keep(run: RunState): void {
    this.known.set(run.run, run);
    this.onChanged(run.run);
  }
}
