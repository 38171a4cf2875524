import * as React from 'react';

import type { Checks as Seen, Finding } from '../protocol';
import type { Mending } from '../state';
import { Section } from './ui';

/** Names that are shown of a long list. */
const MOST = 30;

/** The evidence of the checks: leakage, the use of the data, and what was mended. */
export function Checks(props: {
  readonly checks: Seen | null;
  readonly findings: readonly Finding[];
  readonly mendings: readonly Mending[];
}): React.JSX.Element {
  const { checks, findings, mendings } = props;
  const unused = (checks?.unused_files.length ?? 0) + (checks?.unused_columns.length ?? 0);
  const aside =
    findings.length > 0
      ? `! ${findings.length} ${findings.length === 1 ? 'finding' : 'findings'}`
      : checks === null
        ? undefined
        : unused > 0
          ? 'not all data is used'
          : '✓ nothing found';
  return (
    <Section title="Checks" aside={aside}>
      <h4>Leakage</h4>
      {findings.length === 0 ? (
        <p className="mlestar-Text">
          {checks === null ? 'Nothing was found when it was judged.' : '✓ No leak was found.'}
        </p>
      ) : (
        <ul className="mlestar-List">
          {findings.map((finding, i) => (
            <li key={i}>
              <span className={finding.certain ? 'mlestar-tone-bad' : 'mlestar-tone-warn'}>
                {finding.certain ? '! certain' : '? possible'}
              </span>{' '}
              <code>{finding.block}</code>, line {finding.line}: {finding.message}{' '}
              <span className="mlestar-faint">({finding.rule})</span>
            </li>
          ))}
        </ul>
      )}
      {checks !== null && (
        <>
          <h4>Use of the data</h4>
          <dl className="mlestar-Facts">
            <Names name="files used" names={checks.used_files} />
            <Names name="files not used" names={checks.unused_files} isWarning />
            <Names name="columns not used" names={checks.unused_columns} isWarning />
          </dl>
          {unused === 0 && <p className="mlestar-Text">✓ All files and columns are used.</p>}
        </>
      )}
      {mendings.length > 0 && (
        <>
          <h4>Mended on the way</h4>
          <ol className="mlestar-List">
            {mendings.map((mending, i) => (
              <li key={i}>
                {mending.kind}
                {mending.blocks.length > 0 && ` in ${mending.blocks.join(', ')}`}: {mending.reason}
              </li>
            ))}
          </ol>
        </>
      )}
    </Section>
  );
}

function Names(props: {
  readonly name: string;
  readonly names: readonly string[];
  readonly isWarning?: boolean;
}): React.JSX.Element | null {
  const { name, names, isWarning } = props;
  if (names.length === 0) {
    return null;
  }
  const more = names.length - MOST;
  return (
    <>
      <dt>{name}</dt>
      <dd className={isWarning === true ? 'mlestar-tone-warn' : undefined}>
        {names.slice(0, MOST).join(', ')}
        {more > 0 && `, and ${more} more`}
      </dd>
    </>
  );
}
