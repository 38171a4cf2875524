/** What is derived from a run's state. Pure functions. */

import type { Stage } from './protocol';
import type { Candidate, Clock, RunState, Study } from './state';

/** The stages of a run in their order. */
export const STAGES: readonly Stage[] = [
  'initialize',
  'merge',
  'check',
  'refine',
  'ensemble',
  'finalize'
];

/** Where a candidate stands now. */
export type CandidateStanding =
  | 'under way'
  | 'cut off'
  | 'best'
  | 'incumbent'
  | 'accepted'
  | 'undone'
  | 'rejected'
  | 'measured'
  | 'scored'
  | 'failed';

/** Where a candidate stands now: the best, an incumbent, rejected, failed ... */
export function standingOf(run: RunState, candidate: Candidate): CandidateStanding {
  if (candidate.status === null) {
    return hasEnded(run) ? 'cut off' : 'under way';
  }
  if (candidate.id === run.best) {
    return 'best';
  }
  if (run.undone.has(candidate.id)) {
    return 'undone';
  }
  if ([...run.incumbents.values()].includes(candidate.id)) {
    return 'incumbent';
  }
  if (candidate.decisions.some(decision => decision.kind === 'accepted')) {
    return 'accepted';
  }
  if (candidate.score === null) {
    switch (candidate.status) {
      case 'cancelled':
        return 'cut off';
      case 'stopped_early': // it ran, and was almost surely worse
        return 'rejected';
      default:
        return 'failed';
    }
  }
  if (candidate.stage === 'ablate') {
    return 'measured';
  }
  return candidate.decisions.some(decision => decision.kind === 'rejected') ? 'rejected' : 'scored';
}

/** Why a candidate cannot be accepted now; "" if it can. */
export function acceptObstacle(run: RunState, id: string): string {
  // One that is the best, or failed, may have been edited: the kernel knows whether it was.
  return run.candidates.get(id)?.status == null ? 'it is not judged yet' : '';
}

/** Why a candidate cannot be taken back now; "" if it can. */
export function undoObstacle(run: RunState, id: string): string {
  if (run.undone.has(id) && id !== run.best) {
    return 'it is undone already';
  }
  if (run.candidates.get(id)?.score == null) {
    return 'it has no score, so it stands nowhere';
  }
  const isOnly = run.bests.every(best => best.id === id || run.undone.has(best.id));
  return id === run.best && isOnly ? 'no other candidate was the best before' : '';
}

/** Whether nobody is at work on a run. */
export function hasEnded(run: RunState): boolean {
  return ['finished', 'stopped', 'cut off'].includes(run.standing);
}

/** Seconds at work, at `now` (`Date.now()`). */
export function elapsedAt(clock: Clock, now: number): number {
  return clock.isGoing ? clock.elapsed + Math.max(0, now - clock.at) / 1000 : clock.elapsed;
}

/** A line of the tree: a candidate and how deep it lies. */
export interface TreeLine {
  readonly candidate: Candidate;
  readonly depth: number;
  readonly hasChildren: boolean;
}

/**
 * The tree of candidates as lines, parents before children. The variants of ablation studies are
 * left out unless asked for, or accepted; below a collapsed candidate nothing is listed.
 */
export function treeLines(
  run: RunState,
  options: { readonly withAblations?: boolean; readonly collapsed?: ReadonlySet<string> } = {}
): TreeLine[] {
  const lines: TreeLine[] = [];
  const isShown = (id: string): boolean => {
    const candidate = run.candidates.get(id);
    // A variant that turned out better may be the best of the run.
    return (
      options.withAblations === true ||
      candidate?.stage !== 'ablate' ||
      candidate.decisions.some(decision => decision.kind === 'accepted')
    );
  };
  // A stack instead of recursion: a refinement that goes on for long makes a deep tree.
  const left = run.roots.filter(isShown).map(id => ({ id, depth: 0 }));
  left.reverse();
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    const candidate = run.candidates.get(next.id);
    if (candidate === undefined) {
      continue;
    }
    const below = (run.children.get(next.id) ?? []).filter(isShown);
    lines.push({ candidate, depth: next.depth, hasChildren: below.length > 0 });
    if (options.collapsed?.has(next.id) !== true) {
      const depth = next.depth + 1;
      left.push(...below.map(id => ({ id, depth })).reverse());
    }
  }
  return lines;
}

/** The last study of the candidate that is the best now, or else the last of all. */
export function latestStudy(run: RunState): Study | null {
  const ofBest = run.studies.filter(study => study.candidate === run.best);
  return ofBest.at(-1) ?? run.studies.at(-1) ?? null;
}

/** The block that is being refined, by branch. */
export function targetsNow(run: RunState): ReadonlyMap<number, string> {
  return new Map(run.targets.map(target => [target.branch, target.block]));
}

/** The blocks that were measured or refined so far. */
export function knownBlocks(run: RunState): string[] {
  const measured = run.studies.flatMap(study => study.results.map(result => result.block));
  const refined = run.targets.map(target => target.block);
  return [...new Set([...measured, ...refined])].sort();
}
