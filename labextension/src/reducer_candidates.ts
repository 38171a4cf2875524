/** What events say of candidates: proposed, executed, judged, decided about, taken back. */

import type { Draft } from './draft';
import type { RunEvent } from './protocol';
import type { Candidate, Decision } from './state';

/** Take an event about a candidate into account; any other is passed over. */
export function applyCandidate(draft: Draft, event: RunEvent): void {
  const { state } = draft;
  switch (event.kind) {
    case 'candidate_proposed':
      draft.put({ ...underWay(event), seq: event.seq, proposed: event.elapsed });
      break;
    case 'candidate_executed': {
      const { purpose, status, seconds } = event;
      draft.change(event.id, c => ({
        executions: [...c.executions, { purpose, status, seconds }]
      }));
      break;
    }
    case 'candidate_debugged':
    case 'candidate_corrected': {
      const mending =
        event.kind === 'candidate_debugged'
          ? ({ kind: 'debugged', reason: event.error, blocks: event.blocks } as const)
          : ({ kind: 'corrected', reason: event.reason, blocks: event.blocks } as const);
      draft.change(event.id, c => ({ mendings: [...c.mendings, mending] }));
      break;
    }
    case 'candidate_judged':
      judge(draft, event);
      break;
    case 'incumbent_changed': {
      const other = state.incumbents.get(event.branch) ?? null;
      const { branch, reason, best, elapsed } = event;
      decide(draft, event.id, { kind: 'accepted', branch, reason, best, other, elapsed });
      draft.setIncumbent(branch, event.id);
      draft.setUndone(event.id, false);
      if (best) {
        setBest(draft, event.id, elapsed);
      }
      break;
    }
    case 'plan_lost': {
      const other = state.incumbents.get(event.branch) ?? null;
      const { branch, reason, elapsed } = event;
      decide(draft, event.id, { kind: 'rejected', branch, reason, best: false, other, elapsed });
      break;
    }
    case 'undone':
      undo(draft, event);
      break;
    default:
  }
}

/** A candidate that was proposed and is not judged yet. */
function underWay(
  event: Extract<RunEvent, { kind: 'candidate_proposed' | 'candidate_judged' }>
): Candidate {
  const { id, seq, stage, title, plan, parents, block, branch } = event;
  return {
    id,
    seq,
    stage,
    title,
    plan,
    parents,
    block,
    branch,
    status: null,
    score: null,
    gain: null,
    seconds: 0,
    reason: '',
    debugRounds: 0,
    findings: [],
    spent: null,
    executions: [],
    mendings: [],
    decisions: [],
    proposed: event.elapsed,
    judged: null
  };
}

function judge(draft: Draft, event: Extract<RunEvent, { kind: 'candidate_judged' }>): void {
  const { state } = draft;
  const known = state.candidates.get(event.id) ?? underWay(event);
  const parent = state.candidates.get(event.parents[0] ?? '');
  const gain =
    event.score && parent?.score
      ? (event.score.value - parent.score.value) * (event.score.greater_is_better ? 1 : -1)
      : null;
  draft.put({
    ...known,
    title: event.title,
    plan: event.plan,
    parents: event.parents,
    block: event.block,
    status: event.status,
    score: event.score,
    gain,
    seconds: event.seconds,
    reason: event.reason,
    debugRounds: event.debug_rounds,
    findings: event.findings,
    judged: event.elapsed
  });
}

function decide(draft: Draft, id: string, decision: Decision): void {
  draft.change(id, candidate => {
    // A resumed run goes through its loops again and may come to the same decision.
    const isKnown = candidate.decisions.some(
      known =>
        decision.kind === 'rejected' &&
        known.kind === 'rejected' &&
        known.branch === decision.branch &&
        known.reason === decision.reason
    );
    return isKnown ? {} : { decisions: [...candidate.decisions, decision] };
  });
}

function setBest(draft: Draft, id: string, elapsed: number): void {
  const { state } = draft;
  state.best = id;
  const score = state.candidates.get(id)?.score;
  if (score) {
    draft.push('bests', { id, elapsed, score: score.value, spread: score.spread });
  }
}

function undo(draft: Draft, event: Extract<RunEvent, { kind: 'undone' }>): void {
  const { state } = draft;
  const { branch, elapsed } = event;
  const decision: Decision = {
    kind: 'undone',
    branch,
    reason: 'by you',
    best: false,
    other: event.to,
    elapsed
  };
  decide(draft, event.id, decision);
  draft.setUndone(event.id, true);
  if (event.to !== null) {
    setBest(draft, event.to, elapsed);
  }
  for (const [each, incumbent] of state.incumbents) {
    if (state.undone.has(incumbent)) {
      draft.setIncumbent(each, lastAccepted(draft, each) ?? state.best ?? incumbent);
    }
  }
}

/** The candidate that was last accepted in a branch and is not undone. */
function lastAccepted(draft: Draft, branch: number): string | null {
  const { candidates, undone } = draft.state;
  let found: { id: string; elapsed: number } | null = null;
  for (const { id, decisions } of candidates.values()) {
    for (const { kind, branch: where, elapsed } of undone.has(id) ? [] : decisions) {
      if (kind === 'accepted' && where === branch && elapsed >= (found?.elapsed ?? 0)) {
        found = { id, elapsed };
      }
    }
  }
  return found?.id ?? null;
}
