import { YNotebook } from '@jupyter/ydoc';
import { beforeEach, describe, expect, it } from 'vitest';

import {
  belongs,
  blocksOf,
  insert,
  missing,
  readMetadata,
  type SharedNotebook,
  writeCell,
  writeMetadata
} from '../src/cells';
import { cells, golden, snapshot } from './golden';

const candidate = cells('a candidate');
const verdict = cells('a verdict');
const study = cells('a study');
const [failed = candidate] = golden['mlestar.control'].cells.reply.result;

let notebook: YNotebook;
let shared: SharedNotebook;

beforeEach(() => {
  const empty = { cells: [], metadata: {}, nbformat: 4, nbformat_minor: 5 };
  notebook = YNotebook.create({ data: empty });
  shared = notebook as unknown as SharedNotebook;
  notebook.insertCells(0, [
    { cell_type: 'code', id: 'above', source: 'x = 1' },
    { cell_type: 'code', id: 'the-cell-of-the-magic', source: '%%mlestar' },
    { cell_type: 'code', id: 'below', source: 'mine' }
  ] as never[]);
  notebook.clearUndoHistory();
});

function ids(): string[] {
  return notebook.cells.map(cell => cell.getId().replace('me9fef410', 'ours'));
}

const FIRST = ['ours-0001', 'ours-0001-load', 'ours-0001-model', 'ours-0001-predict'];
const STUDY = ['ours-e8', 'ours-e8-chart'];
const FAILED = ['ours-0004', 'ours-0004-model'];

describe('inserting', () => {
  it('puts cells below the anchor, in the order in which they came', () => {
    insert(shared, candidate);
    insert(shared, study);
    insert(shared, failed, { isAsked: true });
    expect(ids()).toEqual([
      'above',
      'the-cell-of-the-magic',
      ...FIRST,
      ...STUDY,
      ...FAILED,
      'below'
    ]);
  });

  it('puts a telling that comes late at its place', () => {
    insert(shared, failed, { isAsked: true });
    insert(shared, candidate);
    insert(shared, study);
    expect(ids().slice(2, -1)).toEqual([...FIRST, ...STUDY, ...FAILED]);
  });

  it('is done once, however often a message comes', () => {
    insert(shared, candidate);
    expect(insert(shared, candidate)).toEqual({ headings: [], isChanged: false });
    expect(ids()).toHaveLength(7);
  });

  it('goes to the end when the anchor is gone, and then stays together', () => {
    notebook.deleteCell(1);
    insert(shared, candidate);
    insert(shared, study);
    expect(ids()).toEqual(['above', 'below', ...FIRST, ...STUDY]);
  });

  it('keeps outputs and metadata', () => {
    insert(shared, candidate);
    const cell = notebook.cells[3];
    expect(cell?.toJSON()).toMatchObject(candidate.cells[1] as object);
  });

  it('never touches cells of the user, nor copies of ours', () => {
    insert(shared, candidate);
    const mine = notebook.cells.filter(cell => !cell.getId().startsWith('me9fef410'));
    const before = mine.map(cell => cell.toJSON());
    writeCell(shared, 4, '# between ours');
    insert(shared, verdict);
    insert(shared, study);
    expect(mine.map(cell => cell.toJSON())).toEqual(before);
    expect(notebook.cells[4]?.getSource()).toBe('# between ours');
  });

  it('is one undo step each', () => {
    insert(shared, candidate);
    insert(shared, study);
    notebook.undo();
    expect(ids()).toEqual(['above', 'the-cell-of-the-magic', ...FIRST, 'below']);
    notebook.undo();
    expect(ids()).toEqual(['above', 'the-cell-of-the-magic', 'below']);
  });
});

describe('renewing', () => {
  it('changes a heading that is as it was', () => {
    insert(shared, candidate);
    expect(insert(shared, verdict)).toEqual({ headings: [], isChanged: true });
    expect(notebook.cells[2]?.getSource()).toContain('the best so far');
    expect(ids()).toHaveLength(7);
  });

  it('leaves a heading that the user has changed', () => {
    insert(shared, candidate);
    notebook.cells[2]?.setSource('### my words');
    expect(insert(shared, verdict).isChanged).toBe(false);
    expect(notebook.cells[2]?.getSource()).toBe('### my words');
  });

  it('does not bring back what the user has deleted, unless it is asked for', () => {
    insert(shared, candidate);
    notebook.deleteCellRange(2, 6);
    expect(insert(shared, verdict).isChanged).toBe(false);
    insert(shared, verdict, { isAsked: true });
    expect(ids()).toContain('ours-0001');
  });

  it('leaves the fold as it is', () => {
    insert(shared, candidate);
    notebook.cells[2]?.setMetadata('jp-MarkdownHeadingCollapsed', true);
    insert(shared, verdict);
    expect(notebook.cells[2]?.getMetadata('jp-MarkdownHeadingCollapsed')).toBe(true);
  });
});

describe('catching up', () => {
  const headings = snapshot.tellings.map(telling => telling.heading);

  it('asks for everything in a notebook that was told nothing', () => {
    expect(missing(shared, snapshot)).toEqual(headings);
  });

  it('asks for what came since, and for headings on which a word was said since', () => {
    insert(shared, candidate);
    writeMetadata(shared, snapshot.run, 3);
    expect(missing(shared, snapshot)).toEqual(headings);
    insert(shared, study);
    writeMetadata(shared, snapshot.run, 8);
    expect(missing(shared, snapshot)).toEqual(['me9fef410-0003', 'me9fef410-0004']);
  });

  it('asks for nothing that the user has deleted', () => {
    writeMetadata(shared, snapshot.run, 8);
    expect(missing(shared, snapshot)).toEqual(['me9fef410-0003', 'me9fef410-0004']);
    writeMetadata(shared, snapshot.run, 15);
    expect(missing(shared, snapshot)).toEqual([]);
  });
});

describe('what a notebook knows', () => {
  it('is written once, keeps other runs, and never goes back', () => {
    expect(readMetadata(shared)).toEqual({});
    writeMetadata(shared, 'one', 5);
    writeMetadata(shared, 'two', null);
    writeMetadata(shared, 'one', 3);
    expect(readMetadata(shared)).toEqual({ run: 'one', told: { one: 5, two: -1 } });
  });

  it('tells whether a run belongs there', () => {
    const other = { run: 'other', prefix: 'mother', anchor: null };
    expect(belongs(shared, other)).toBe(false);
    expect(belongs(shared, { ...other, anchor: 'above' })).toBe(true);
    writeMetadata(shared, 'other', null);
    expect(belongs(shared, other)).toBe(true);
  });

  it('has the blocks of a candidate as the user left them', () => {
    insert(shared, candidate);
    notebook.cells[4]?.setSource('mine + 1');
    expect(blocksOf(shared, 'me9fef410', '0001')).toEqual({
      load: 'train = 1',
      model: 'mine + 1',
      predict: 'train + 2'
    });
  });
});
