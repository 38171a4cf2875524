import * as React from 'react';

import { isObject, type Output } from '../protocol';
import { type Bundle, Rendering } from './rendering';

/** Characters of text that are shown of one output. */
const MOST = 20_000;
/** Characters of any other form that is still shown: pictures and tables are longer than text. */
const MOST_OF_A_FORM = 4_000_000;

/** What a block gave, as the notebook would show it. */
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
  const show = React.useContext(Rendering);
  const host = React.useRef<HTMLDivElement>(null);
  const [isShown, setShown] = React.useState(true);
  React.useLayoutEffect(() => {
    if (show === null || host.current === null) {
      return undefined;
    }
    const metadata = isObject(output.metadata) ? output.metadata : {};
    const takeAway = show(bundleOf(output), metadata, host.current);
    setShown(takeAway !== null);
    return takeAway ?? undefined;
  }, [show, output]);
  return show !== null && isShown ? (
    <div ref={host} className="mlestar-Output" />
  ) : (
    <Plain output={output} />
  );
}

/** Text alone, for want of anything better. */
function Plain({ output }: { readonly output: Output }): React.JSX.Element | null {
  const bundle = bundleOf(output);
  const text = bundle[STDOUT] ?? bundle[STDERR] ?? bundle['text/plain'];
  return typeof text === 'string' && text !== '' ? (
    <pre className="mlestar-Output">{text}</pre>
  ) : null;
}

const STDOUT = 'application/vnd.jupyter.stdout';
const STDERR = 'application/vnd.jupyter.stderr';

/** The forms of an output that are not too long. */
export function bundleOf(output: Output): Bundle {
  if (output.output_type === 'stream') {
    return { [output.name === 'stderr' ? STDERR : STDOUT]: cut(joined(output.text)) };
  }
  if (output.output_type === 'error') {
    return { [STDERR]: cut(`${joined(output.ename)}: ${joined(output.evalue)}`) };
  }
  const bundle: Record<string, unknown> = {};
  for (const [type, data] of Object.entries(isObject(output.data) ? output.data : {})) {
    const value = Array.isArray(data) && !type.endsWith('json') ? joined(data) : data;
    if (type === 'text/plain') {
      bundle[type] = cut(joined(value));
    } else if (typeof value !== 'string' || value.length <= MOST_OF_A_FORM) {
      bundle[type] = value;
    }
  }
  return bundle;
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
