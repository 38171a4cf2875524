/** What events say of language models: tokens and dollars, of the run and of its candidates. */

import type { Draft } from './draft';
import type { RunEvent } from './protocol';
import type { Spent } from './run_state';

/** Take an event about a language model into account; any other is passed over. */
export function applyMoney(draft: Draft, event: RunEvent): void {
  const { state } = draft;
  switch (event.kind) {
    case 'llm_called': {
      const { number, candidate, prompt, output, thoughts, cost } = event;
      const spent = { tokens: prompt + output + thoughts, cost: cost ?? 0 };
      state.spent = sum(state.spent, spent);
      draft.map('calls').set(number, spent);
      draft.change(candidate, known => ({ spent: sum(known.spent, spent) }));
      break;
    }
    case 'role_answered': {
      // What was asked while a candidate was judged is counted there already.
      if (event.plan !== '' && event.candidate === '') {
        const key = keyOf(event);
        let spent = state.plans.get(key) ?? null;
        for (const number of event.calls) {
          spent = sum(spent, state.calls.get(number) ?? null);
        }
        if (spent !== null) {
          draft.map('plans').set(key, spent);
        }
      }
      break;
    }
    case 'candidate_proposed': {
      const key = keyOf(event);
      const spent = state.plans.get(key) ?? null;
      if (spent !== null) {
        draft.map('plans').delete(key);
        draft.change(event.id, known => ({ spent: sum(known.spent, spent) }));
      }
      break;
    }
    default:
  }
}

function keyOf({ branch, plan }: { readonly branch: number; readonly plan: string }): string {
  return `${branch} ${plan}`;
}

function sum(one: Spent | null, other: Spent | null): Spent | null {
  if (one === null || other === null) {
    return one ?? other;
  }
  return { tokens: one.tokens + other.tokens, cost: one.cost + other.cost };
}
