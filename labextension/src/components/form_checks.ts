/** What is wrong with what was filled in. Pure functions. */

import type { FormFacts } from '../protocol';
import type { TaskForm } from '../state';

/** Where the data comes from. */
export type Source = 'folder' | 'frames';

/** What is wrong, by field. */
export type Problems = Readonly<Partial<Record<keyof TaskForm, string>>>;

/** The form without what belongs to the other source of data. */
export function effective(form: TaskForm, source: Source): TaskForm {
  return source === 'folder' ? { ...form, train: '', test: '' } : { ...form, data: '' };
}

/** What must be mended before a form can be run. `verbs` would be taken for something else. */
export function problemsOf(
  form: TaskForm,
  source: Source,
  facts: FormFacts | null,
  verbs: readonly string[]
): Problems {
  const problems: Partial<Record<keyof TaskForm, string>> = {};
  const name = form.name.trim();
  if (verbs.includes(name)) {
    problems.name = `${name} is a command; choose another name`;
  } else if (name !== '' && !/^\w[\w.-]*$/.test(name)) {
    problems.name = 'letters, digits, and . _ - only';
  }
  if (source === 'folder' && form.data.trim() === '') {
    problems.data = 'name the folder with train and test';
  }
  if (source === 'frames' && form.train.trim() === '') {
    problems.train = 'name a DataFrame of this notebook';
  }
  const target = form.target.trim();
  const columns = columnsOf(form, source, facts);
  if (target !== '' && columns.length > 0 && !columns.includes(target)) {
    problems.target = `the data has no column ${target}`;
  }
  if (form.time.trim() !== '' && !isTime(form.time)) {
    problems.time = 'for example 90s, 10m or 1h30m';
  }
  if (form.cost.trim() !== '' && !(Number(form.cost) > 0)) {
    problems.cost = 'dollars, for example 2.50';
  }
  if (form.jobs.trim() !== '' && !/^[1-9]\d*$/.test(form.jobs.trim())) {
    problems.jobs = 'a whole number from 1';
  }
  return problems;
}

/** The columns that are known of what was filled in. */
export function columnsOf(
  form: TaskForm,
  source: Source,
  facts: FormFacts | null
): readonly string[] {
  const frame = facts?.frames.find(({ name }) => name === form.train.trim());
  if (source === 'frames') {
    return frame?.columns ?? [];
  }
  return form.data.trim() === '' ? [] : (facts?.columns ?? []);
}

/** Whether the kernel can read a time, such as `1h30m`. */
function isTime(text: string): boolean {
  const compact = text.toLowerCase().replaceAll(/\s/g, '');
  const isRead = /^(\d+(\.\d+)?|(\d+(\.\d+)?(sec|min|s|m|h|d))+)$/.test(compact);
  return isRead && /[1-9]/.test(compact);
}
