import { describe, expect, it } from 'vitest';

import { adoptCell, exportCell, joinWords, taskCell } from '../src/form';
import { EMPTY_FORM } from '../src/state';
import { golden } from './golden';

const detail = golden['mlestar.control'].candidate.reply.result;

describe('cells that are written', () => {
  it('say what was filled in, and nothing else', () => {
    const form = {
      ...EMPTY_FORM,
      name: 'trial',
      data: 'my data',
      target: 'y',
      words: 'Predict y.'
    };
    expect(taskCell(form)).toBe(
      "%%mlestar trial --data 'my data' --target y --time 10m\nPredict y.\n"
    );
    expect(taskCell({ ...EMPTY_FORM, time: '', train: 'df', step: true })).toBe(
      '%%mlestar --train df --step\n\n'
    );
  });

  it('quote as a shell would', () => {
    expect(joinWords(['a b', "it's", 'plain-1.5', ''])).toBe(`'a b' 'it'"'"'s' plain-1.5 ''`);
  });

  it('have the blocks that a candidate changed', () => {
    expect(adoptCell(detail, null)).toBe('%%mlestar adopt 0003\n# %% model\ntrain + 10\n');
    expect(adoptCell(detail, 'runs/x')).toContain('%%mlestar adopt 0003 --run runs/x\n');
  });

  it('export the best candidate or another', () => {
    expect(exportCell('a.html', null, null)).toBe('%mlestar export a.html');
    expect(exportCell('a.py', '0002', null)).toBe('%mlestar export a.py --candidate 0002');
  });
});
