/**
 * The reducer: what a run's events, its status and a snapshot add up to. Pure functions; the same
 * one serves a snapshot and what is heard live, since a snapshot is what would have been heard.
 */

import { Draft } from './draft';
import { logLine } from './log';
import type { RunEvent, Snapshot, Stage, Standing, Status } from './protocol';
import { type Candidate, type Decision, emptyRun, type RunState } from './state';

/** A run as a snapshot has it. `now` is `Date.now()`. */
export function fromSnapshot(snapshot: Snapshot, now: number): RunState {
  const run: RunState = {
    ...emptyRun(snapshot.run),
    name: snapshot.name,
    folder: snapshot.folder,
    prefix: snapshot.prefix,
    anchor: snapshot.anchor,
    tellings: snapshot.tellings
  };
  const told = withEvents(run, snapshot.events, now);
  return withStatus({ ...told, seq: Math.max(told.seq, snapshot.seq) }, snapshot.status, now);
}

/**
 * A run after some events more. Events that it knows are passed over. It must be told of all: see
 * `isGap`.
 */
export function withEvents(run: RunState, events: readonly RunEvent[], now: number): RunState {
  const draft = new Draft(run);
  let isChanged = false;
  for (const event of events) {
    if (event.seq <= draft.state.seq) {
      continue;
    }
    isChanged = true;
    apply(draft, event);
    draft.state.seq = event.seq;
    const line = logLine(event, {
      solutions: draft.state.settings?.solutions ?? 1,
      candidate: id => draft.state.candidates.get(id)
    });
    if (line !== null) {
      draft.push('log', line);
    }
  }
  if (!isChanged) {
    return run;
  }
  const { state } = draft;
  const isGoing = state.standing === 'working';
  if (isGoing !== state.clock.isGoing) {
    const elapsed = Math.max(state.clock.elapsed, events.at(-1)?.elapsed ?? 0);
    state.clock = { ...state.clock, elapsed, at: now, isGoing };
  }
  return draft.done();
}

/** A run with what the kernel says of where it stands. A status that is older is passed over. */
export function withStatus(run: RunState, status: Status, now: number): RunState {
  if (status.seq < run.seq) {
    return run;
  }
  return {
    ...run,
    standing: status.state,
    reason: status.reason,
    stage: status.stage,
    clock: {
      elapsed: status.elapsed,
      limit: status.limit,
      at: now,
      isGoing: status.state === 'working'
    },
    counts: {
      candidates: status.counts.candidates,
      scored: status.counts.scored,
      ablations: status.counts.ablations,
      underWay: status.counts.under_way
    },
    pinned: status.pinned,
    waiting: status.waiting
  };
}

/** Whether there are events between what a run knows and this one, so that it must be asked for. */
export function isGap(run: RunState, seq: number): boolean {
  return seq > run.seq + 1;
}

function apply(draft: Draft, event: RunEvent): void {
  const { state } = draft;
  switch (event.kind) {
    case 'run_started':
      state.task = event.task;
      state.metric = event.metric;
      state.greaterIsBetter = event.greater_is_better;
      state.validation = event.validation;
      state.isIsolated = event.isolated;
      state.settings = event.settings;
      break;
    case 'settings_changed':
      state.settings = event.settings;
      break;
    case 'session_started':
      state.reason = '';
      stand(draft, 'working');
      break;
    case 'stage_started':
      begin(draft, event.stage, event.branch, event.elapsed);
      break;
    case 'branch_finished':
      end(draft, event.branch, event.elapsed);
      break;
    case 'cards_retrieved':
      state.cards = event.cards;
      break;
    case 'ablation_measured': {
      const { seq, candidate, branch, summary, results, elapsed } = event;
      draft.push('studies', { seq, candidate, branch, summary, results, elapsed });
      break;
    }
    case 'target_chosen': {
      const { seq, candidate, branch, block, plan, reason } = event;
      draft.push('targets', { seq, candidate, branch, block, plan, reason });
      break;
    }
    case 'submission_written':
      state.submission = { id: event.id, path: event.path };
      break;
    case 'finished_notebook_written': {
      const { id, path, verdict, detail } = event;
      state.finished = { id, path, verdict, detail };
      break;
    }
    case 'unsealed':
      state.unsealed = { value: event.value, optimism: event.optimism };
      break;
    case 'run_finished':
      state.reason = event.reason;
      stand(draft, event.reason === 'finished' ? 'finished' : 'stopped');
      end(draft, null, event.elapsed);
      break;
    default:
      applyCandidate(draft, event);
      applySteering(draft, event);
  }
}

function applyCandidate(draft: Draft, event: RunEvent): void {
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

function applySteering(draft: Draft, event: RunEvent): void {
  const { state } = draft;
  switch (event.kind) {
    case 'block_pinned':
      state.pinned = event.block;
      state.pinSeq = event.seq;
      break;
    case 'suggestion_added':
      draft.push('suggestions', { seq: event.seq, text: event.text });
      break;
    case 'step_begun':
      if (event.pin_seq !== null && event.pin_seq === state.pinSeq) {
        state.pinned = null;
      }
      if (state.standing === 'waiting') {
        stand(draft, 'working');
      }
      break;
    case 'step_waiting':
      stand(draft, 'waiting');
      state.waiting = event.reports;
      break;
    case 'paused':
      stand(draft, 'paused');
      break;
    case 'resumed':
      stand(draft, 'working');
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
    tokens: null,
    cost: null,
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
  const tokens = event.tokens ?? null;
  const cost = event.cost ?? null;
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
    tokens,
    cost,
    judged: event.elapsed
  });
  state.tokens = tokens === null ? state.tokens : (state.tokens ?? 0) + tokens;
  state.cost = cost === null ? state.cost : (state.cost ?? 0) + cost;
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
  setBest(draft, event.to, elapsed);
  for (const [each, incumbent] of state.incumbents) {
    if (state.undone.has(incumbent)) {
      draft.setIncumbent(each, lastAccepted(draft, each) ?? event.to);
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

function begin(draft: Draft, stage: Stage, branch: number | null, elapsed: number): void {
  // A stage of the whole run ends all that the branches were at; theirs end only their own.
  end(draft, branch, elapsed);
  if (branch !== null) {
    end(draft, 'whole', elapsed);
  }
  draft.state.stage = stage;
  draft.push('stages', { stage, branch, from: elapsed, until: null });
}

/** End the stage of a branch, those of the whole run alone, or (null) all of them. */
function end(draft: Draft, branch: number | 'whole' | null, until: number): void {
  const stages = draft.list('stages');
  stages.forEach((span, i) => {
    const isMeant =
      branch === null || (branch === 'whole' ? span.branch === null : span.branch === branch);
    if (span.until === null && isMeant) {
      stages[i] = { ...span, until };
    }
  });
}

function stand(draft: Draft, standing: Standing): void {
  draft.state.standing = standing;
  if (standing !== 'waiting') {
    draft.state.waiting = [];
  }
}
