import * as React from 'react';

import { type Actions, EMPTY_FORM, type PanelState } from '../state';
import { CandidatePage } from './CandidatePage';
import { EmptyState } from './EmptyState';
import { Header } from './Header';
import { Icon } from './Icon';
import { RunPage } from './RunPage';
import { TaskForm } from './TaskForm';

/** The sidebar: a pure function of its state. */
export function Sidebar(props: {
  readonly state: PanelState;
  readonly actions: Actions;
}): React.JSX.Element {
  const { state, actions } = props;
  const { run, page, notice } = state;
  const [form, setForm] = React.useState(EMPTY_FORM);
  const body = React.useRef<HTMLDivElement>(null);
  useScroll(body, page.kind === 'candidate' ? page.id : page.kind);
  const candidate = page.kind === 'candidate' ? run?.candidates.get(page.id) : undefined;
  const isRunShown = page.kind === 'run' || (page.kind === 'candidate' && candidate === undefined);
  return (
    <div className="mlestar-Sidebar" data-lm-suppress-shortcuts="true">
      <Header state={state} actions={actions} />
      {notice !== null && (
        <div
          key={notice.key}
          className={`mlestar-Note mlestar-mod-line mlestar-mod-${notice.tone}`}
          role={notice.tone === 'error' ? 'alert' : 'status'}
        >
          <p>
            {notice.tone === 'error' && (
              <span className="mlestar-Note-sign mlestar-tone-bad">
                <Icon name="alert" />
              </span>
            )}
            {notice.text}
          </p>
          <button
            type="button"
            className="mlestar-Close"
            aria-label="Dismiss"
            title="Dismiss"
            onClick={actions.dismiss}
          >
            <Icon name="close" />
          </button>
        </div>
      )}
      <div className="mlestar-Body" ref={body}>
        <EmptyState state={state} actions={actions} />
        {page.kind === 'form' && (
          <TaskForm state={state} actions={actions} form={form} onChange={setForm} />
        )}
        {run !== null && candidate !== undefined && (
          <CandidatePage key={candidate.id} {...{ state, run, candidate, actions }} />
        )}
        {run !== null && (
          // It stays while another page is open, and so does what was folded and scrolled in it.
          <div key={run.run} hidden={!isRunShown}>
            <RunPage {...{ state, run, actions }} />
          </div>
        )}
      </div>
    </div>
  );
}

/** A page begins at its top; the run's page comes back where it was, with the focus as it was. */
function useScroll(body: React.RefObject<HTMLDivElement>, page: string): void {
  const before = React.useRef<{ page: string; top: number; focus: Element | null }>({
    page,
    top: 0,
    focus: null
  });
  if (before.current.page === 'run' && page !== 'run') {
    // While rendering: what is shown still is the run's page.
    before.current.top = body.current?.scrollTop ?? 0;
    before.current.focus = document.activeElement;
  }
  React.useLayoutEffect(() => {
    const element = body.current;
    if (element === null || before.current.page === page) {
      return;
    }
    const wasInside =
      document.activeElement === document.body || element.contains(document.activeElement);
    before.current.page = page;
    element.scrollTop = page === 'run' ? before.current.top : 0;
    const { focus } = before.current;
    if (page === 'run' && wasInside && focus instanceof HTMLElement && element.contains(focus)) {
      focus.focus({ preventScroll: true });
    }
  }, [body, page]);
}
