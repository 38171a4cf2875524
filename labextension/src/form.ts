/** What is clicked becomes text: cells with magics, which the notebook keeps. */

import type { CandidateDetail } from './protocol';
import type { TaskForm } from './state';

/** The cell that loads the package. */
export const LOAD_CELL = '%load_ext mlestar_jupyter';
/** The cell that installs it into the kernel's environment. */
export const INSTALL_CELL = '%pip install mlestar-jupyter';

/** Words for a magic's line; those with spaces are quoted as a shell would. */
export function joinWords(words: readonly string[]): string {
  return words
    .map(word => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'"'"'`)}'`))
    .join(' ');
}

/** The `%%mlestar` cell that a form means. */
export function taskCell(form: TaskForm): string {
  const words: string[] = [];
  const name = form.name.trim();
  if (name !== '') {
    words.push(name);
  }
  const options = [
    ['--data', form.data],
    ['--train', form.train],
    ['--test', form.test],
    ['--target', form.target],
    ['--metric', form.metric],
    ['--direction', form.direction],
    ['--time', form.time],
    ['--agents', form.agents],
    ['--model', form.model],
    ['--cost', form.cost],
    ['--jobs', form.jobs]
  ] as const;
  for (const [option, value] of options) {
    if (value.trim() !== '') {
      words.push(option, value.trim());
    }
  }
  if (form.step) {
    words.push('--step');
  }
  if (form.background) {
    words.push('--background');
  }
  const line = ['%%mlestar', joinWords(words)].join(' ').trimEnd();
  // IPython refuses a cell magic whose body is empty: a blank line is a body.
  return `${line}\n${form.words.trim()}\n`;
}

/** A cell with the blocks in which a candidate differs from its parent, to edit and to adopt. */
export function adoptCell(detail: CandidateDetail, run: string | null): string {
  const changed = detail.blocks.filter(block => block.source !== block.before);
  const blocks = changed.length > 0 ? changed : detail.blocks;
  const words = ['adopt', detail.id, ...runWords(run)];
  const parts = blocks.map(({ name, source }) => `# %% ${name}\n${source.trimEnd()}`);
  return `%%mlestar ${joinWords(words)}\n${parts.join('\n\n')}\n`;
}

/** A cell that exports a candidate, by default the best one. */
export function exportCell(path: string, candidate: string | null, run: string | null): string {
  const which = candidate === null ? [] : ['--candidate', candidate];
  return `%mlestar ${joinWords(['export', path, ...which, ...runWords(run)])}`;
}

/** Which run is meant, unless it is the kernel's last one. */
function runWords(run: string | null): string[] {
  return run === null ? [] : ['--run', run];
}
