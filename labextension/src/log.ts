/** The log: one line of words for each event that a user wants to see. */

import { formatBranch, formatNumber, formatScore, formatSeconds, formatSigned } from './format';
import type { RunEvent } from './protocol';
import type { Candidate, LogLine } from './state';

/** What a line needs to know of the run, after its event was taken into account. */
export interface LogContext {
  readonly solutions: number;
  readonly candidate: (id: string) => Candidate | undefined;
}

type Words = Pick<LogLine, 'text' | 'tone'> & { readonly candidate?: string };

/** The line of an event; null for one that says nothing to a user. */
export function logLine(event: RunEvent, context: LogContext): LogLine | null {
  const words = wordsFor(event, context);
  if (words === null) {
    return null;
  }
  const { seq, elapsed, kind } = event;
  return { candidate: null, ...words, seq, elapsed, kind };
}

function wordsFor(event: RunEvent, context: LogContext): Words | null {
  const where = (branch: number | null): string => {
    const words = formatBranch(branch, context.solutions);
    return words && ` (${words})`;
  };
  switch (event.kind) {
    case 'run_started':
      return plain(`run started: ${event.metric}, ${event.validation}`);
    case 'session_started':
      return plain('the run goes on');
    case 'settings_changed':
      return user(`new time limit: ${formatSeconds(event.settings.seconds)}`);
    case 'stage_started':
      return plain(`stage ${event.stage}${where(event.branch)}`);
    case 'cards_retrieved':
      return plain(`models proposed: ${event.cards.map(card => card.name).join(', ') || 'none'}`);
    case 'candidate_proposed':
      return about(event.id, `${event.id} begun: ${event.title || event.stage}`);
    case 'candidate_debugged':
      return about(event.id, `${event.id} debugged (round ${event.round}): ${event.error}`);
    case 'candidate_corrected':
      return about(event.id, `${event.id} corrected: ${event.reason}`);
    case 'candidate_judged':
      return judged(context.candidate(event.id), event);
    case 'ablation_measured':
      return about(
        event.candidate,
        `${event.candidate} ablated: ${event.results.length} variants measured`
      );
    case 'target_chosen':
      return plain(`target block ${event.block}${where(event.branch)}${because(event.reason)}`);
    case 'incumbent_changed': {
      const what = event.best ? 'is the best now' : 'is accepted';
      return about(
        event.id,
        `${event.id} ${what}${where(event.branch)}${because(event.reason)}`,
        'good'
      );
    }
    case 'plan_lost':
      return about(
        event.id,
        `${event.id} is rejected${where(event.branch)}${because(event.reason)}`
      );
    case 'branch_finished':
      return plain(`${formatBranch(event.branch, 2)} is done with ${event.id}`);
    case 'submission_written':
      return event.path === null
        ? null
        : about(event.id, `submission written by ${event.id}`, 'good');
    case 'finished_notebook_written':
      return about(event.id, `finished notebook: ${event.verdict} (${event.detail})`, 'good');
    case 'unsealed':
      return about(
        event.id,
        `unsealed: ${formatNumber(event.value)}, validation was ${formatSigned(event.optimism)}`
      );
    case 'step_begun':
      return plain(`outer step ${event.number}${where(event.branch)}`);
    case 'step_waiting':
      return plain('the run waits for you');
    case 'paused':
      return user('paused');
    case 'resumed':
      return user('resumed');
    case 'block_pinned':
      return user(event.block === null ? 'the pin is taken back' : `pinned ${event.block}`);
    case 'suggestion_added':
      return user(`suggested: ${event.text}`);
    case 'card_added':
      return user(`model card added: ${event.card.name}`);
    case 'undone':
      return {
        ...user(
          event.to === null
            ? `${event.id} is undone`
            : `${event.id} is undone; ${event.to} is the best again`
        ),
        candidate: event.id
      };
    case 'llm_called':
      return event.status === 'ok'
        ? null
        : { text: `${event.model} (${event.role}): ${event.error || event.status}`, tone: 'bad' };
    case 'agents_changed': {
      const next = event.to === '' ? 'nobody goes on' : `${event.to} goes on`;
      return { text: `${event.from} gave up, ${next}${because(event.reason)}`, tone: 'bad' };
    }
    case 'note':
      return plain(event.text);
    case 'run_finished':
      return {
        text: event.reason === 'finished' ? 'finished' : `ended: ${event.reason}`,
        tone: event.reason === 'finished' ? 'good' : 'plain'
      };
    default:
      return null;
  }
}

function judged(
  candidate: Candidate | undefined,
  event: Extract<RunEvent, { kind: 'candidate_judged' }>
): Words {
  if (event.score === null) {
    const status = event.status.replaceAll('_', ' ');
    const why = event.reason && `: ${event.reason}`;
    const tone = event.status === 'stopped_early' ? 'plain' : 'bad';
    return about(event.id, `${event.id} ${status}${why}`, tone);
  }
  const gain = candidate?.gain ?? null;
  const over = gain === null ? '' : `, gain ${formatSigned(gain)} over ${event.parents[0]}`;
  return about(event.id, `${event.id} scored ${formatScore(event.score)}${over}`);
}

function because(reason: string): string {
  return reason && `: ${reason}`;
}

function plain(text: string): Words {
  return { text, tone: 'plain' };
}

function user(text: string): Words {
  return { text, tone: 'user' };
}

function about(candidate: string, text: string, tone: LogLine['tone'] = 'plain'): Words {
  return { text, tone, candidate };
}
