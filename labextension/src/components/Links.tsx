import * as React from 'react';

import { formatNumber, formatSigned } from '../format';
import type { Actions, RunState } from '../state';
import { Button } from './Button';

/** The files of the run. */
export function Links(props: {
  readonly run: RunState;
  readonly actions: Actions;
  readonly isBusy: boolean;
}): React.JSX.Element {
  const { run, actions, isBusy } = props;
  const { finished, submission, unsealed } = run;
  const link = (file: string, hint: string): React.JSX.Element => (
    <Button
      kind="link"
      label={file}
      name={`Open ${file}`}
      hint={hint}
      isBusy={isBusy}
      onPress={() => actions.openFile(file)}
    />
  );
  return (
    <ul className="mlestar-Files">
      <li>
        {link('run.ipynb', 'The story of the run so far, as a notebook')}
        <span className="mlestar-faint">the story of the run</span>
      </li>
      {finished !== null && (
        <li>
          {link(finished.path, 'The report that reproduces the score')}
          <span className="mlestar-faint" title={finished.detail}>
            {finished.verdict}
          </span>
        </li>
      )}
      {submission?.path != null && (
        <li>
          {link(submission.path, 'The predictions for the test rows')}
          <span className="mlestar-faint">by {submission.id}</span>
        </li>
      )}
      {unsealed !== null && (
        <li>
          on the sealed rows: {formatNumber(unsealed.value)}
          <span className="mlestar-faint">validation was {formatSigned(unsealed.optimism)}</span>
        </li>
      )}
    </ul>
  );
}
