/**
 * The reducer: what a run's events, its status and a snapshot add up to. Pure functions; the same
 * one serves a snapshot and what is heard live, since a snapshot is what would have been heard.
 */

import { Draft } from './draft';
import { logLine } from './log';
import type { RunEvent, Snapshot, Stage, Standing, Status, Writing } from './protocol';
import { applyCandidate } from './reducer_candidates';
import { applyMoney } from './reducer_money';
import { emptyRun, type RunState } from './run_state';

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

/** A run with what an agent is writing, until it is done. */
export function withWriting(run: RunState, message: Writing): RunState {
  const writing = new Map(run.writing);
  const key = `${message.branch} ${message.role}`;
  if (message.text.trim() === '') {
    writing.delete(key);
  } else {
    writing.set(key, message);
  }
  return { ...run, writing };
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
      state.writing = new Map();
      state.reason = event.reason;
      stand(draft, event.reason === 'finished' ? 'finished' : 'stopped');
      end(draft, null, event.elapsed);
      break;
    default:
      applyCandidate(draft, event);
      applySteering(draft, event);
      applyMoney(draft, event);
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
