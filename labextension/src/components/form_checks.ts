/** What is wrong with what was filled in. Pure functions. */

import type { FormFacts } from '../protocol';
import type { TaskForm } from '../state';

/** Where the data comes from. */
export type Source = 'folder' | 'frames';

/** What is wrong, by field. */
export type Problems = Readonly<Partial<Record<keyof TaskForm, string>>>;

/** The form without what belongs to the other source of data, to other agents or metrics. */
export function effective(form: TaskForm, source: Source, facts: FormFacts | null): TaskForm {
  const own = source === 'folder' ? { train: '', test: '' } : { data: '' };
  return {
    ...form,
    ...own,
    cost: takes(form, facts, 'cost') ? form.cost : '',
    model: takes(form, facts, 'model') ? form.model : '',
    direction: isOwnMetric(form, facts) ? form.direction : ''
  };
}

/** Whether an option means something to the agents that were chosen. */
export function takes(form: TaskForm, facts: FormFacts | null, option: string): boolean {
  const name = form.agents.trim() || facts?.defaults.agents;
  const cast = facts?.agents?.find(each => each.name === name);
  return cast?.options.includes(option) === true;
}

/** Whether a metric is a function of the user's own, of which we know nothing. */
export function isOwnMetric(form: TaskForm, facts: FormFacts | null): boolean {
  const name = form.metric.trim().toLowerCase();
  return name !== '' && facts?.metrics.every(metric => metric.name !== name) === true;
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
  if (isOwnMetric(form, facts) && form.direction === '') {
    problems.direction = 'say which way your metric is better';
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
