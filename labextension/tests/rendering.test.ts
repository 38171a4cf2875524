// @vitest-environment jsdom
import { describe, expect, it, vi } from 'vitest';

import { bundleOf } from '../src/components/Outputs';

// JupyterLab asks for them when it is loaded, and jsdom has none.
vi.stubGlobal('DragEvent', MouseEvent);
vi.stubGlobal('matchMedia', () => ({ matches: false, addEventListener: () => undefined }));
const { RenderMimeRegistry, standardRendererFactories } = await import('@jupyterlab/rendermime');
const { showBundles } = await import('../src/rendering');

const registry = new RenderMimeRegistry({ initialFactories: standardRendererFactories });
const show = showBundles(registry);

/** What is shown of a bundle, once it is rendered. */
async function shown(data: Record<string, unknown>): Promise<HTMLElement> {
  const host = document.createElement('div');
  document.body.append(host);
  show(data, {}, host);
  await new Promise(resolve => setTimeout(resolve, 50));
  return host;
}

describe('outputs that are shown', () => {
  it('are tables, without the scripts that came with them', async () => {
    const host = await shown({
      'text/html':
        '<table><tr><td onclick="window.hacked = 1">42</td></tr></table>' +
        '<script>window.hacked = 1</script><img src="x" onerror="window.hacked = 1">' +
        '<a href="javascript:window.hacked=1">here</a><iframe srcdoc="x"></iframe>'
    });
    expect(host.querySelector('td')?.textContent).toBe('42');
    expect(host.querySelector('script, iframe, [onclick], [onerror]')).toBeNull();
    expect(host.innerHTML).not.toContain('hacked');
  });

  it('are pictures', async () => {
    const host = await shown({ 'image/png': 'aGVsbG8=', 'text/plain': '<Figure>' });
    expect(host.querySelector('img')?.src).toBe('data:image/png;base64,aGVsbG8=');
  });

  it('are text where every other form would run something', async () => {
    const host = await shown({
      'application/javascript': 'window.hacked = 1',
      'image/svg+xml': '<svg onload="window.hacked = 1"></svg>',
      'text/plain': 'plain & <b>simple</b>'
    });
    expect(host.textContent).toBe('plain & <b>simple</b>');
    expect(host.querySelector('svg, b')).toBeNull();
  });

  it('are none where there is no safe form', () => {
    const host = document.createElement('div');
    document.body.append(host);
    expect(show({ 'application/javascript': 'alert(1)' }, {}, host)).toBeNull();
    expect(host.childElementCount).toBe(0);
  });

  it('are taken away with their widget', async () => {
    const host = document.createElement('div');
    document.body.append(host);
    const takeAway = show({ 'text/plain': 'gone soon' }, {}, host);
    await new Promise(resolve => setTimeout(resolve, 20));
    takeAway?.();
    expect(host.childElementCount).toBe(0);
  });
});

describe('the forms of an output', () => {
  it('are those of its data, in one piece and not too long', () => {
    const bundle = bundleOf({
      output_type: 'display_data',
      data: {
        'text/plain': ['one\n', 'two'],
        'text/html': 'x'.repeat(5_000_000),
        'application/json': [1, 2]
      }
    });
    expect(bundle).toEqual({ 'text/plain': 'one\ntwo', 'application/json': [1, 2] });
  });

  it('tell what was printed, and what went wrong', () => {
    expect(bundleOf({ output_type: 'stream', name: 'stdout', text: ['a\n', 'b'] })).toEqual({
      'application/vnd.jupyter.stdout': 'a\nb'
    });
    const error = { output_type: 'error', ename: 'KeyError', evalue: "'x'", traceback: ['…'] };
    expect(bundleOf(error)).toEqual({ 'application/vnd.jupyter.stderr': "KeyError: 'x'" });
    const long = bundleOf({ output_type: 'stream', text: 'y'.repeat(30_000) });
    expect(Object.values(long)).toEqual([`${'y'.repeat(20_000)}\n…`]);
  });
});
