// @vitest-environment jsdom
import { cleanup, fireEvent, render, screen, within } from '@testing-library/react';
import * as React from 'react';
import { afterEach, describe, expect, it, vi } from 'vitest';

import { AblationBars } from '../src/components/AblationBars';
import { CandidateTree } from '../src/components/CandidateTree';
import { Sidebar } from '../src/components/Sidebar';
import { windowOf } from '../src/components/VirtualList';
import { taskCell } from '../src/form';
import type { RunEvent, Writing } from '../src/protocol';
import { fromSnapshot, withEvents, withStatus, withWriting } from '../src/reducer';
import { type Actions, EMPTY_PANEL, type PanelState, type RunState } from '../src/state';
import { golden, snapshot, status } from './golden';

// Queries by role are slow in jsdom, and machines may be busy.
vi.setConfig({ testTimeout: 30_000 });
afterEach(cleanup);

const run = fromSnapshot(snapshot, 0);
const hello = golden['mlestar.control'].hello.reply.result;
const facts = golden['mlestar.control'].form.reply.result;
const detail = golden['mlestar.control'].candidate.reply.result;
const connected: PanelState = {
  ...EMPTY_PANEL,
  connection: { kind: 'connected', hello },
  notebook: { path: 'a.ipynb', name: 'a.ipynb' }
};

/** Actions that only remember what was asked. */
function fakeActions(): { [K in keyof Actions]: ReturnType<typeof vi.fn> } {
  const made = new Map<string | symbol, ReturnType<typeof vi.fn>>([['cellOf', vi.fn(taskCell)]]);
  return new Proxy({} as { [K in keyof Actions]: ReturnType<typeof vi.fn> }, {
    get: (_, name) => {
      const known = made.get(name) ?? vi.fn(() => Promise.resolve());
      made.set(name, known);
      return known;
    }
  });
}

function show(state: Partial<PanelState>): { [K in keyof Actions]: ReturnType<typeof vi.fn> } {
  const actions = fakeActions();
  render(<Sidebar state={{ ...connected, ...state }} actions={actions as unknown as Actions} />);
  return actions;
}

function type(label: string, value: string): void {
  fireEvent.change(screen.getByLabelText(label), { target: { value } });
}

function press(name: string | RegExp): void {
  fireEvent.click(screen.getByRole('button', { name }));
}

function isOff(name: string): boolean {
  return screen.getByRole('button', { name }).getAttribute('aria-disabled') === 'true';
}

describe('empty states', () => {
  const mends: [PanelState['connection'], RegExp, string, keyof Actions][] = [
    [{ kind: 'no notebook' }, /open a notebook/i, 'New notebook', 'newNotebook'],
    [{ kind: 'no kernel' }, /no kernel/, 'Try again', 'reconnect'],
    [{ kind: 'other language', language: 'R' }, /speaks R/, 'New notebook', 'newNotebook'],
    [{ kind: 'connecting', isBusy: true }, /busy/, 'Interrupt it', 'interrupt'],
    [{ kind: 'not loaded' }, /not loaded/, 'Load it', 'loadPackage'],
    [{ kind: 'not installed' }, /not installed/, 'Install it', 'installPackage'],
    [
      { kind: 'refused', error: 'the page is older' },
      /the page is older/,
      'Try again',
      'reconnect'
    ],
    [{ kind: 'lost', error: 'it died' }, /it died/, 'Try again', 'reconnect']
  ];
  it.each(mends)('%j say what is missing and mend it', (connection, words, button, action) => {
    const actions = show({ connection });
    expect(screen.getByText(words)).toBeTruthy();
    press(button);
    expect(actions[action]).toHaveBeenCalledOnce();
  });

  it('lead from no run to the form', () => {
    const actions = show({});
    press('Describe a task');
    expect(actions.open).toHaveBeenCalledWith({ kind: 'form' });
  });

  it('show the last notice until it is dismissed', () => {
    const actions = show({ notice: { tone: 'error', text: 'no such folder', key: 1 } });
    expect(screen.getByRole('alert').textContent).toContain('no such folder');
    press('Dismiss');
    expect(actions.dismiss).toHaveBeenCalledOnce();
  });
});

describe('the form', () => {
  const form = { page: { kind: 'form' }, facts } as const;

  it('shows the cell that it writes, and runs it', () => {
    const actions = show(form);
    type('Folder', 'my data');
    type('Target', 'fare');
    type('Jobs', '3');
    type('Description', 'Predict the fare.');
    fireEvent.click(screen.getByLabelText(/Step by step/));
    const cell =
      "%%mlestar --data 'my data' --target fare --time 10m --jobs 3 --step\nPredict the fare.\n";
    expect(screen.getByLabelText('The cell that is written').textContent).toBe(cell);
    press('Run');
    expect(actions.start).toHaveBeenCalledOnce();
    expect(taskCell(actions.start.mock.calls[0]?.[0] as Parameters<typeof taskCell>[0])).toBe(cell);
  });

  it('says what is wrong, and runs nothing', () => {
    const actions = show(form);
    press('Run');
    expect(screen.getByLabelText('Folder').getAttribute('aria-invalid')).toBe('true');
    expect(screen.getByText(/name the folder/)).toBeTruthy();
    fireEvent.click(screen.getByLabelText(/DataFrames/));
    type('Train', 'trips');
    type('Target', 'cost');
    type('Time limit', 'soon');
    type('Jobs', '0');
    type('Name', 'pause');
    for (const words of [/no column cost/, /for example 90s/, /whole number/, /is a command/]) {
      expect(screen.getByText(words)).toBeTruthy();
    }
    press('Run');
    expect(actions.start).not.toHaveBeenCalled();
  });

  it('leaves out what belongs to the other source of data', () => {
    show(form);
    type('Folder', 'data');
    fireEvent.click(screen.getByLabelText(/DataFrames/));
    type('Train', 'trips');
    expect(screen.getByLabelText('The cell that is written').textContent).toBe(
      '%%mlestar --train trips --time 10m\n\n'
    );
  });

  it('offers what the agents that were chosen understand, and nothing else', () => {
    const agents = [...(facts.agents ?? []), { name: 'gemini', options: ['cost', 'model'] }];
    show({ ...form, facts: { ...facts, agents } });
    expect(screen.queryByLabelText('Cost limit ($)')).toBeNull();
    type('Folder', 'data');
    type('Agents', 'gemini');
    type('Cost limit ($)', '2.50');
    type('Model', 'flash');
    const cell = screen.getByLabelText('The cell that is written');
    expect(cell.textContent).toContain('--time 10m --agents gemini --model flash --cost 2.50');
    type('Agents', 'playbook');
    expect(cell.textContent).toBe('%%mlestar --data data --time 10m --agents playbook\n\n');
  });

  it('asks which way a metric of the user’s own is better', () => {
    const actions = show({ ...form, facts: { ...facts, functions: ['mine'] } });
    type('Folder', 'data');
    type('Metric', 'RMSE');
    expect(screen.queryByLabelText('Better is')).toBeNull();
    type('Metric', 'mine');
    press('Run');
    expect(screen.getByText('say which way your metric is better')).toBeTruthy();
    expect(actions.start).not.toHaveBeenCalled();
    type('Better is', 'maximize');
    press('Run');
    expect(actions.start.mock.calls[0]?.[0]).toMatchObject({
      metric: 'mine',
      direction: 'maximize'
    });
  });

  it('takes the folder that was picked', async () => {
    const actions = show(form);
    actions.pickFolder.mockResolvedValue('data/trips');
    press('Browse…');
    expect(await screen.findByDisplayValue('data/trips')).toBeTruthy();
  });
});

describe('controls', () => {
  it('are those of a run at work', () => {
    const actions = show({ run });
    expect(['Go on', 'Pause', 'Step', 'Stop', 'Refine', 'Ensemble'].map(isOff)).toEqual([
      true,
      false,
      true,
      false,
      true,
      true
    ]);
    press('Pause');
    press('Refine');
    expect(actions.pause).toHaveBeenCalledOnce();
    expect(actions.refine).not.toHaveBeenCalled();
  });

  it('are those of a finished run', () => {
    const actions = show({ run: { ...run, standing: 'finished' } });
    expect(['Go on', 'Pause', 'Step', 'Stop', 'Refine', 'Ensemble'].map(isOff)).toEqual([
      true,
      true,
      true,
      true,
      false,
      false
    ]);
    press('Insert the best candidate');
    expect(actions.insert).toHaveBeenCalledWith('0003');
    press('Undo');
    expect(actions.undo).not.toHaveBeenCalled();
    press('Yes');
    expect(actions.undo).toHaveBeenCalledOnce();
  });

  it('that cannot be taken back lead the focus to the question, and back', () => {
    show({ run: { ...run, standing: 'finished' } });
    press('Undo');
    expect(document.activeElement?.textContent).toBe('No');
    press('No');
    expect(document.activeElement?.textContent).toBe('Undo');
  });

  it('cannot be used while the kernel does not answer', () => {
    show({ run, connection: { kind: 'lost', error: 'gone' } });
    expect(['Pause', 'Stop', 'Insert all cells'].map(isOff)).toEqual([true, true, true]);
  });

  it('interrupt a busy kernel that has no subshells', () => {
    const old = { ...hello, kernel: { ...hello.kernel, subshells: false } };
    const actions = show({
      run,
      isKernelBusy: true,
      connection: { kind: 'connected', hello: old }
    });
    press('Stop');
    expect(actions.interrupt).toHaveBeenCalledOnce();
  });

  it('send a suggestion and empty the field when it was taken', async () => {
    const actions = show({ run });
    actions.suggest.mockResolvedValue(true);
    const field = screen.getByLabelText<HTMLInputElement>('Something to try');
    fireEvent.change(field, { target: { value: 'use dates' } });
    press('Suggest');
    await vi.waitFor(() => {
      expect(field.value).toBe('');
    });
    expect(actions.suggest).toHaveBeenCalledWith('use dates');
  });

  it('show what an agent writes, until it is done or the run has ended', () => {
    const message = golden.mlestar.writing as Writing;
    const writing = withWriting(run, message);
    show({ run: writing });
    const list = screen.getByRole('list', { name: 'What agents write' });
    expect(within(list).getByRole('listitem').textContent).toContain(message.text);
    expect(withWriting(writing, { ...message, text: '' }).writing.size).toBe(0);
  });

  it('go on with a block of the user’s choice in step mode', () => {
    const waiting = withStatus(run, status('waiting'), 0);
    const actions = show({ run: waiting });
    const part = within(screen.getByRole('region', { name: 'The run waits for you' }));
    expect(part.getByText('it is the model')).toBeTruthy();
    fireEvent.change(part.getByRole('combobox'), { target: { value: 'predict' } });
    fireEvent.click(part.getByRole('button', { name: 'Go on with predict' }));
    expect(actions.step).toHaveBeenCalledWith('predict');
  });
});

describe('the tree', () => {
  it('renders only a window of 2,000 candidates', () => {
    const onOpen = vi.fn();
    render(<CandidateTree run={withMany(2000)} onOpen={onOpen} />);
    const tree = screen.getByRole('tree');
    expect(within(tree).getAllByRole('treeitem').length).toBeLessThan(40);
    fireEvent.keyDown(tree, { key: 'End' });
    const items = within(tree).getAllByRole('treeitem');
    expect(items.length).toBeLessThan(40);
    const active = items.find(item => item.getAttribute('aria-selected') === 'true');
    expect(tree.getAttribute('aria-activedescendant')).toBe(active?.id);
    fireEvent.keyDown(tree, { key: 'Enter' });
    expect(onOpen).toHaveBeenCalledOnce();
  });

  it('folds and opens by keyboard and pointer', () => {
    const onOpen = vi.fn();
    render(<CandidateTree run={run} onOpen={onOpen} />);
    const tree = screen.getByRole('tree');
    expect(within(tree).getAllByRole('treeitem')).toHaveLength(3);
    fireEvent.keyDown(tree, { key: 'ArrowLeft' });
    expect(within(tree).getAllByRole('treeitem')).toHaveLength(1);
    fireEvent.keyDown(tree, { key: 'ArrowRight' });
    fireEvent.click(within(tree).getByText('0003'));
    expect(onOpen).toHaveBeenCalledWith('0003');
  });

  it('keeps its window within the list', () => {
    expect(windowOf(10, 20, 100, 5000)).toEqual({ first: 0, end: 10 });
    expect(windowOf(1000, 20, 100, 2000)).toEqual({ first: 95, end: 110 });
  });
});

describe('ablation bars', () => {
  it('pin a block, and take the pin back', () => {
    const onPin = vi.fn();
    const bars = (pinned: string | null): React.JSX.Element => (
      <AblationBars run={{ ...run, pinned }} onPin={onPin} onOpen={vi.fn()} obstacle="" />
    );
    const { rerender } = render(bars(null));
    press(/^model, a constant: gain \+12/);
    expect(onPin).toHaveBeenLastCalledWith('model');
    rerender(bars('model'));
    const bar = screen.getByRole('button', { name: /^model/ });
    expect(bar.getAttribute('aria-pressed')).toBe('true');
    fireEvent.click(bar);
    expect(onPin).toHaveBeenLastCalledWith(null);
  });
});

describe('the page of a candidate', () => {
  it('shows its difference, checks and decisions', () => {
    const actions = show({
      run,
      page: { kind: 'candidate', id: '0003' },
      detail: { kind: 'loaded', id: '0003', detail }
    });
    const block = within(screen.getByRole('region', { name: 'Block model' }));
    expect(block.getByText('train + 1')).toBeTruthy();
    expect(block.getByText('train + 10')).toBeTruthy();
    expect(screen.getByText('✓ No leak was found.')).toBeTruthy();
    fireEvent.click(screen.getByRole('button', { name: 'Refine the block model' }));
    expect(actions.pin).toHaveBeenCalledWith('model');
    press('Candidate 0001');
    expect(actions.open).toHaveBeenCalledWith({ kind: 'candidate', id: '0001' });
    press('Back');
    expect(actions.open).toHaveBeenLastCalledWith({ kind: 'run' });
  });
});

describe('the chart', () => {
  it('is a cursor over the scores', () => {
    const actions = show({ run });
    const chart = screen.getByRole('slider');
    fireEvent.keyDown(chart, { key: 'Home' });
    expect(chart.getAttribute('aria-valuetext')).toContain('0001');
    fireEvent.keyDown(chart, { key: 'Enter' });
    expect(actions.open).toHaveBeenCalledWith({ kind: 'candidate', id: '0001' });
  });
});

function withMany(count: number): RunState {
  const events: object[] = [];
  for (let i = 0; i < count; i++) {
    const id = `x${i}`;
    events.push({
      kind: 'candidate_proposed',
      seq: run.seq + 1 + i,
      at: 0,
      elapsed: i,
      id,
      stage: 'refine',
      title: '',
      plan: '',
      parents: i === 0 ? [] : [`x${Math.floor(i / 2)}`],
      block: 'model',
      branch: 0
    });
  }
  return withEvents(run, events as RunEvent[], 0);
}
