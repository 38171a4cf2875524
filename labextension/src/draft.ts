/**
 * A run state while it is being changed: collections are copied once, when they are first written
 * to. What was not touched stays the same object, so that components need not render it again.
 */

import type { Candidate, RunState, Spent } from './run_state';

type Lists = {
  [K in keyof RunState as RunState[K] extends readonly unknown[] ? K : never]: RunState[K];
};
interface Maps {
  readonly candidates: Map<string, Candidate>;
  readonly children: Map<string, readonly string[]>;
  readonly incumbents: Map<number, string>;
  readonly calls: Map<number, Spent>;
  readonly plans: Map<string, Spent>;
}
type Item<K extends keyof Lists> = RunState[K] extends readonly (infer T)[] ? T : never;

/** A copy of a state that may be written to, until `done` gives it back. */
export class Draft {
  /** Plain fields may be set; collections only by the methods. */
  readonly state: { -readonly [K in keyof RunState]: RunState[K] };
  private readonly owned = new Set<unknown>();

  constructor(before: RunState) {
    this.state = { ...before };
  }

  /** The new state. */
  done(): RunState {
    return this.state;
  }

  /** Add to one of the lists. */
  push<K extends keyof Lists>(key: K, item: Item<K>): void {
    this.list(key).push(item);
  }

  /** One of the lists, to write to. */
  list<K extends keyof Lists>(key: K): Item<K>[] {
    const fields = this.state as unknown as Record<K, Item<K>[]>;
    if (!this.owned.has(key)) {
      this.owned.add(key);
      fields[key] = [...fields[key]];
    }
    return fields[key];
  }

  /** Put a candidate in the place of an earlier one, or behind all others below its parent. */
  put(candidate: Candidate): void {
    const isNew = !this.state.candidates.has(candidate.id);
    this.map('candidates').set(candidate.id, candidate);
    if (!isNew) {
      return;
    }
    this.push('order', candidate.id);
    const parent = candidate.parents[0];
    if (parent === undefined || !this.state.candidates.has(parent)) {
      this.push('roots', candidate.id);
      return;
    }
    const children = this.map('children');
    let below = children.get(parent) as string[] | undefined;
    if (below === undefined || !this.owned.has(below)) {
      below = [...(below ?? [])];
      this.owned.add(below);
      children.set(parent, below);
    }
    below.push(candidate.id);
  }

  /** Change some fields of a candidate that is known. */
  change(id: string, fields: (candidate: Candidate) => Partial<Candidate>): void {
    const candidate = this.state.candidates.get(id);
    if (candidate !== undefined) {
      this.map('candidates').set(id, { ...candidate, ...fields(candidate) });
    }
  }

  /** Set a branch's incumbent. */
  setIncumbent(branch: number, id: string): void {
    this.map('incumbents').set(branch, id);
  }

  /** Write down, or forget, that the user took a candidate back. */
  setUndone(id: string, isUndone: boolean): void {
    if (this.state.undone.has(id) === isUndone) {
      return;
    }
    const undone = new Set(this.state.undone);
    this.state.undone = undone;
    if (isUndone) {
      undone.add(id);
    } else {
      undone.delete(id);
    }
  }

  /** One of the maps, to write to. */
  map<K extends keyof Maps>(key: K): Maps[K] {
    const fields = this.state as unknown as Record<string, Map<unknown, unknown>>;
    if (!this.owned.has(key)) {
      this.owned.add(key);
      fields[key] = new Map(fields[key]);
    }
    return fields[key] as unknown as Maps[K];
  }
}
