/**
 * Outputs of candidates in the panel, shown as JupyterLab shows them in a notebook that is not
 * trusted: HTML is sanitised, and no script runs. What a candidate prints is nobody's we know.
 */

import { type IRenderMimeRegistry, MimeModel } from '@jupyterlab/rendermime';
import { Widget } from '@lumino/widgets';

import type { ShowBundle } from './components/rendering';

type Data = NonNullable<NonNullable<ConstructorParameters<typeof MimeModel>[0]>['data']>;

/** Shows bundles by JupyterLab's own renderers. */
export function showBundles(registry: IRenderMimeRegistry): ShowBundle {
  return (data, metadata, host) => {
    const type = registry.preferredMimeType(data as Data, 'ensure');
    if (type === undefined) {
      return null;
    }
    const renderer = registry.createRenderer(type);
    const model = new MimeModel({
      data: data as Data,
      metadata: metadata as Data,
      trusted: false
    });
    renderer.renderModel(model).catch((error: unknown) => {
      if (!renderer.isDisposed) {
        renderer.node.textContent = `it cannot be shown: ${String(error)}`;
      }
    });
    Widget.attach(renderer, host);
    return () => {
      renderer.dispose();
    };
  };
}
