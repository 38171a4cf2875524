import { describe, expect, it } from 'vitest';

import type { CandidateStatus, RunEvent, Score, Snapshot } from '../src/protocol';
import { fromSnapshot, isGap, withEvents, withStatus } from '../src/reducer';
import {
  acceptObstacle,
  elapsedAt,
  latestStudy,
  standingOf,
  treeLines,
  undoObstacle
} from '../src/selectors';
import { emptyRun, type RunState } from '../src/run_state';
import { snapshot, status } from './golden';

const NOW = 1_000_000;
const run = fromSnapshot(snapshot, NOW);

function candidate(
  id: string,
  of: RunState = run
): NonNullable<ReturnType<typeof of.candidates.get>> {
  const found = of.candidates.get(id);
  if (found === undefined) {
    throw new Error(`no candidate ${id}`);
  }
  return found;
}

/** The run after events more, numbered from its last one. */
function after(state: RunState, ...events: object[]): RunState {
  const seq = state.seq + 1;
  const made = events.map((event, i) => ({ seq: seq + i, at: 0, elapsed: 20 + i, ...event }));
  return withEvents(state, made as RunEvent[], NOW);
}

describe('a snapshot', () => {
  it('tells of the task and of where the run stands', () => {
    expect(run).toMatchObject({
      run: 'mlestar_runs/trial',
      name: 'trial',
      seq: 15,
      metric: 'rmse',
      greaterIsBetter: false,
      standing: 'working',
      stage: 'refine',
      best: '0003',
      counts: { candidates: 3, scored: 2, ablations: 1, underWay: 0 }
    });
  });

  it('has all candidates, with gains in the direction of the metric', () => {
    expect(run.order).toEqual(['0001', '0002', '0003', '0004']);
    expect(run.roots).toEqual(['0001']);
    expect(run.children.get('0001')).toEqual(['0002', '0003']);
    expect(candidate('0003').gain).toBe(2);
    expect(candidate('0002').gain).toBe(-12);
    expect(candidate('0004')).toMatchObject({ status: 'failed', score: null, gain: null });
  });

  it('knows where each candidate stands', () => {
    const standings = run.order.map(id => standingOf(run, candidate(id)));
    expect(standings).toEqual(['accepted', 'measured', 'best', 'failed']);
    expect(run.bests.map(best => [best.id, best.score])).toEqual([
      ['0001', 60],
      ['0003', 58]
    ]);
  });

  it('has the stages on a timeline, the study and the target', () => {
    expect(run.stages).toEqual([
      { stage: 'initialize', branch: null, from: 1, until: 3 },
      { stage: 'refine', branch: 0, from: 3, until: null }
    ]);
    expect(latestStudy(run)?.results.map(result => result.gain)).toEqual([12, -0.5]);
    expect(run.targets.at(-1)).toMatchObject({ block: 'model', reason: 'the largest gain' });
  });

  it('gives the same as its events one after another', () => {
    let live: RunState = {
      ...emptyRun(snapshot.run),
      name: snapshot.name,
      folder: snapshot.folder,
      prefix: snapshot.prefix,
      anchor: snapshot.anchor,
      tellings: snapshot.tellings
    };
    for (const event of snapshot.events) {
      expect(isGap(live, event.seq)).toBe(false);
      live = withEvents(live, [event], NOW);
    }
    expect(withStatus(live, snapshot.status, NOW)).toEqual(run);
  });

  it('is told in a log for people', () => {
    const lines = run.log.map(line => line.text);
    expect(lines).toContain('0003 scored 58 ± 1.5, gain +2 over 0001');
    expect(lines).toContain("0004 failed: block model: NameError: name 'nothing' is not defined");
    expect(lines).toContain('0003 is the best now: better in 99 % of draws');
  });
});

describe('events', () => {
  it('are passed over when they are known', () => {
    expect(withEvents(run, snapshot.events, NOW)).toBe(run);
  });

  it('show a gap', () => {
    expect(isGap(run, 16)).toBe(false);
    expect(isGap(run, 17)).toBe(true);
  });

  it('of a kind that is not known change nothing but the number', () => {
    const next = after(run, { kind: 'something_new', id: '0001' });
    expect(next).toEqual({ ...run, seq: 16 });
  });

  it('leave untouched what they are not about', () => {
    const next = after(run, { kind: 'note', text: 'hello' });
    expect(next.candidates).toBe(run.candidates);
    expect(next.studies).toBe(run.studies);
    expect(next.log).toHaveLength(run.log.length + 1);
  });

  it('never change a state that was given away', () => {
    const before = structuredClone(run);
    after(run, { kind: 'undone', branch: 0, id: '0003', to: '0001' });
    expect(run).toEqual(before);
  });

  it('count what language models were asked for, for the run and for its candidates', () => {
    const call = {
      kind: 'llm_called',
      role: 'code',
      branch: 0,
      model: 'm',
      status: 'ok',
      error: ''
    };
    const tokens = { prompt: 100, output: 20, thoughts: 3, cached: 50 };
    const next = after(
      run,
      { ...call, number: 1, candidate: '', ...tokens, cost: 0.5 },
      { ...call, number: 2, candidate: '', ...tokens, cost: null },
      { kind: 'role_answered', branch: 0, plan: 'a log', candidate: '', calls: [1, 2], error: '' },
      { kind: 'candidate_proposed', id: '0099', parents: [], branch: 0, plan: 'a log' },
      { ...call, number: 3, role: 'debug', candidate: '0099', ...tokens, cost: 0.25 },
      { kind: 'role_answered', branch: 0, plan: 'a log', candidate: '0099', calls: [3], error: '' },
      { ...call, number: 4, candidate: '', ...tokens, cost: 1, status: '429', error: 'too many' },
      { kind: 'agents_changed', from: 'm', to: 'playbook', reason: 'no quota' }
    );
    expect(run.spent).toBeNull();
    expect(next.spent).toEqual({ tokens: 492, cost: 1.75 });
    expect(candidate('0099', next).spent).toEqual({ tokens: 369, cost: 0.75 });
    expect(next.plans.size).toBe(0);
    const lines = next.log.slice(run.log.length).map(line => line.text);
    expect(lines).toEqual([
      '0099 begun: undefined',
      'm (code): too many',
      'm gave up, playbook goes on: no quota'
    ]);
  });

  it('undo of another than the best: the best and the chart stay as they are', () => {
    const other = run.order.find(id => id !== run.best && run.candidates.get(id)?.score != null);
    const next = after(run, { kind: 'undone', branch: 0, id: other, to: null });
    expect(next.best).toBe(run.best);
    expect(next.bests).toBe(run.bests);
    expect(standingOf(next, candidate(other ?? '', next))).toBe('undone');
    expect(next.log.at(-1)?.text).toBe(`${other} is undone`);
    expect(undoObstacle(next, other ?? '')).toBe('it is undone already');
    const again = after(next, {
      kind: 'incumbent_changed',
      branch: 0,
      id: other,
      best: true,
      reason: 'accepted by you'
    });
    expect(again.best).toBe(other);
    expect(undoObstacle(again, other ?? '')).toBe('');
  });

  it('says why a candidate cannot be accepted or undone', () => {
    const next = after(run, {
      kind: 'candidate_proposed',
      id: '0099',
      parents: [],
      stage: 'refine'
    });
    expect(acceptObstacle(next, '0099')).toBe('it is not judged yet');
    expect(undoObstacle(next, '0099')).toContain('no score');
    expect(acceptObstacle(next, run.best ?? '')).toBe('');
    expect(undoObstacle({ ...run, bests: run.bests.slice(-1) }, run.best ?? '')).toContain(
      'no other candidate was the best'
    );
  });

  it('undo: the candidate before is the best again, and the incumbent', () => {
    const next = after(run, { kind: 'undone', branch: 0, id: '0003', to: '0001' });
    expect(next.best).toBe('0001');
    expect(next.incumbents.get(0)).toBe('0001');
    expect(standingOf(next, candidate('0003', next))).toBe('undone');
    expect(candidate('0003', next).decisions.map(d => d.kind)).toEqual(['accepted', 'undone']);
  });

  it('pin a block until a step takes it up', () => {
    const pinned = after(run, { kind: 'block_pinned', block: 'load' });
    expect(pinned.pinned).toBe('load');
    const step = { kind: 'step_begun', key: 'k', branch: 0, number: 1, pin: 'load', pin_seq: 16 };
    expect(after(pinned, step).pinned).toBeNull();
    expect(after(pinned, { ...step, pin_seq: 3 }).pinned).toBe('load');
  });

  it('stop the clock while the run is paused', () => {
    const paused = after(run, { kind: 'paused' });
    expect(paused.standing).toBe('paused');
    expect(elapsedAt(run.clock, NOW + 5000)).toBe(13.25);
    expect(elapsedAt(paused.clock, NOW + 5000)).toBe(elapsedAt(paused.clock, NOW));
    expect(after(paused, { kind: 'resumed' }).clock.isGoing).toBe(true);
  });

  it('wait for the user in step mode, and go on', () => {
    const waiting = after(run, { kind: 'step_waiting', reports: [{ branch: 0, next: 'refine' }] });
    expect(waiting).toMatchObject({ standing: 'waiting', waiting: [{ next: 'refine' }] });
    expect(after(waiting, { kind: 'resumed' })).toMatchObject({ standing: 'working', waiting: [] });
  });

  it('end the run, and all stages with it', () => {
    const ended = after(run, { kind: 'run_finished', reason: 'finished' });
    expect(ended.standing).toBe('finished');
    expect(ended.stages.every(span => span.until !== null)).toBe(true);
    expect(after(ended, { kind: 'session_started' }).standing).toBe('working');
  });

  it('leave a candidate that was under way cut off', () => {
    const begun = after(run, {
      kind: 'candidate_proposed',
      id: '0005',
      key: '',
      stage: 'refine',
      title: '',
      plan: '',
      parents: ['0003'],
      block: null,
      branch: 0
    });
    expect(standingOf(begun, candidate('0005', begun))).toBe('under way');
    const ended = after(begun, { kind: 'run_finished', reason: 'stopped' });
    expect(standingOf(ended, candidate('0005', ended))).toBe('cut off');
  });
});

describe('a candidate that was ended early', () => {
  it('is rejected, not failed, and logged without alarm', () => {
    const failed = snapshot.events.find(e => e.kind === 'candidate_judged' && e.id === '0004');
    const next = after(run, {
      ...failed,
      status: 'stopped_early',
      reason: 'behind',
      seq: run.seq + 1
    });
    expect(standingOf(run, candidate('0004'))).toBe('failed');
    expect(standingOf(next, candidate('0004', next))).toBe('rejected');
    expect(next.log.at(-1)).toMatchObject({ text: '0004 stopped early: behind', tone: 'plain' });
  });
});

describe('a status', () => {
  it.each([
    ['waiting', 'waiting', false],
    ['paused', 'paused', false],
    ['stopped', 'stopped', false],
    ['finished', 'finished', false],
    ['working', 'working', true],
    ['cut off', 'cut off', false]
  ])('says that a run is %s', (name, standing, isGoing) => {
    const next = withStatus(run, status(name), NOW);
    expect(next.standing).toBe(standing);
    expect(next.clock.isGoing).toBe(isGoing);
  });

  it('that is older than the events is passed over', () => {
    const later = after(run, { kind: 'paused' });
    expect(withStatus(later, status('working'), NOW)).toBe(later);
  });
});

describe('a long run', () => {
  const long = longSnapshot(2000);

  it('of 2,000 candidates is read in a moment', () => {
    const began = performance.now();
    const state = fromSnapshot(long, NOW);
    expect(performance.now() - began).toBeLessThan(3000);
    expect(state.candidates.size).toBe(2000);
    expect(treeLines(state)).toHaveLength(2000);
    expect(treeLines(state, { collapsed: new Set(['0001']) })).toHaveLength(1);
  });

  it('takes one event more in a moment', () => {
    const state = fromSnapshot(long, NOW);
    const began = performance.now();
    for (let i = 0; i < 20; i++) {
      after(state, { kind: 'note', text: 'still here' });
    }
    expect((performance.now() - began) / 20).toBeLessThan(50);
  });
});

/** A run of many candidates, each the child of the one before: as deep a tree as there can be. */
function longSnapshot(count: number): Snapshot {
  const events: object[] = [...snapshot.events.slice(0, 2)];
  for (let i = 1; i <= count; i++) {
    const id = String(i).padStart(4, '0');
    const parents = i === 1 ? [] : [String(i - 1).padStart(4, '0')];
    const about = {
      id,
      stage: 'refine',
      title: `plan ${i}`,
      plan: '',
      parents,
      block: 'model',
      branch: 0
    };
    const score: Score = {
      value: 100 - i / count,
      folds: [1, 2],
      rows: [60, 60],
      spread: 1,
      metric: 'rmse',
      greater_is_better: false,
      self_scored: false
    };
    const ok: CandidateStatus = 'ok';
    events.push({ kind: 'candidate_proposed', key: id, ...about });
    for (const purpose of ['fold-1', 'fold-2']) {
      events.push({ kind: 'candidate_executed', id, purpose, status: ok, seconds: 1 });
    }
    const judgement = {
      status: ok,
      score,
      seconds: 2,
      slowest: 1,
      reason: '',
      debug_rounds: 0,
      findings: []
    };
    events.push({ kind: 'candidate_judged', ...about, ...judgement });
    events.push({ kind: 'incumbent_changed', branch: 0, id, best: true, reason: 'better' });
  }
  const numbered = events.map((event, seq) => ({ at: seq, elapsed: seq / 10, ...event, seq }));
  const seq = numbered.length - 1;
  return {
    ...snapshot,
    seq,
    events: numbered as RunEvent[],
    status: { ...snapshot.status, seq }
  };
}
