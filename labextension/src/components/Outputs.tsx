import * as React from 'react';

import { isObject, type Output } from '../protocol';

/** Characters of text that are shown of one output. */
const MOST = 20_000;

/** What a block gave: text and images. HTML is not rendered here; the notebook's cells have it. */
export function Outputs({
  outputs
}: {
  readonly outputs: readonly Output[];
}): React.JSX.Element | null {
  if (outputs.length === 0) {
    return null;
  }
  return (
    <div className="mlestar-Outputs" role="group" aria-label="Outputs">
      {outputs.map((output, i) => (
        <OneOutput key={i} output={output} />
      ))}
    </div>
  );
}

function OneOutput({ output }: { readonly output: Output }): React.JSX.Element | null {
  if (output.output_type === 'stream') {
    return <pre className="mlestar-Output">{cut(joined(output.text))}</pre>;
  }
  if (output.output_type === 'error') {
    return (
      <pre className="mlestar-Output mlestar-tone-bad">
        {`${joined(output.ename)}: ${joined(output.evalue)}`}
      </pre>
    );
  }
  const data = isObject(output.data) ? output.data : {};
  const text = joined(data['text/plain']);
  for (const kind of ['image/png', 'image/jpeg']) {
    const image = joined(data[kind]).replaceAll(/\s/g, '');
    if (image !== '') {
      return <img src={`data:${kind};base64,${image}`} alt={text || 'a figure'} />;
    }
  }
  return text === '' ? null : <pre className="mlestar-Output">{cut(text)}</pre>;
}

/** Text of nbformat may be a list of lines. */
function joined(text: unknown): string {
  if (Array.isArray(text)) {
    return text.map(String).join('');
  }
  return typeof text === 'string' ? text : '';
}

function cut(text: string): string {
  return text.length > MOST ? `${text.slice(0, MOST)}\n…` : text;
}
