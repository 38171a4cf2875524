"""How the sidebar bears a run of thousands of candidates: opening it, scrolling, and a storm.

    python benchmarks/sidebar.py [--candidates 2000]

All is measured by the browser's own clock, in one run. What a page without our panel does in the
same minutes is measured as well: a noisy machine is noisy for both. Needs what `make test-browser`
installs.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
sys.path.insert(0, str(Path(__file__).parent))
from lab import EXTENSION, Lab, lab_server, obstacle, open_page
from long_run import write_long_run

from mlestar_jupyter.demo import write_demo_task

LONG = "mlestar_runs/long"
#: What a storm runs in the notebook's kernel: a run with its front end listening.
STORM = """import sys
sys.path.append({folder!r})
from pathlib import Path
from long_run import write_long_run
channel = get_ipython().magics_manager.registry['MlestarMagics'].workspace.channel
write_long_run(Path('task'), Path('mlestar_runs/{name}'), {count}, listen=channel.attach)
channel.flush(), 'the storm is over'"""

# Milliseconds from a call until what it brings is painted: rows are there, a frame was drawn with
# them, and the browser is through with that frame.
_PAINTED = """async ([act, rows]) => {
  const visible = () => [...document.querySelectorAll(rows)].filter(e => e.offsetParent).length;
  const began = performance.now();
  new Function(act)();
  while (!visible()) {
    await new Promise(requestAnimationFrame);
  }
  await new Promise(done => requestAnimationFrame(() => setTimeout(done)));
  return performance.now() - began;
}"""

# Puts a list of plain rows in the place of the panel's content: what scrolling costs here at least.
_PLAIN = """rows => {
  const list = document.createElement('div');
  list.id = 'plain-rows';
  list.style = 'position: absolute; z-index: 9; inset: 300px 0 auto 0; height: 338px;'
    + 'overflow: auto; contain: strict; background: var(--jp-layout-color1)';
  for (let i = 0; i < rows; i++) {
    const row = document.createElement('div');
    row.style = 'height: 26px; white-space: nowrap; overflow: hidden';
    row.textContent = `${i} a row of plain text as wide as one of the panel`;
    list.append(row);
  }
  document.querySelector('.mlestar-Sidebar').append(list);
}"""

# Scrolls through all of an element, a bit each frame, and gives what each frame took.
_SCROLL = """async ([selector, frames]) => {
  const element = document.querySelector(selector);
  const long = [];
  const observer = new PerformanceObserver(list => long.push(...list.getEntries()));
  observer.observe({ type: 'longtask' });
  const times = [];
  let before = await new Promise(requestAnimationFrame);
  for (let i = 1; i <= frames; i++) {
    element.scrollTop = (element.scrollHeight - element.clientHeight) * i / frames;
    const now = await new Promise(requestAnimationFrame);
    times.push(now - before);
    before = now;
  }
  await new Promise(done => setTimeout(done, 200));
  observer.disconnect();
  return { times, long: long.map(task => task.duration) };
}"""

# Begins to measure how late timers come, which is how late the page hears a click.
_WATCH = """() => {
  const watch = window.mlestarWatch = { late: [], frames: [], long: [], isOn: true };
  watch.observer = new PerformanceObserver(list => {
    watch.long.push(...list.getEntries().map(task => task.duration));
  });
  watch.observer.observe({ type: 'longtask' });
  let due = performance.now() + 20;
  const tick = () => {
    const now = performance.now();
    watch.late.push(Math.max(0, now - due));
    due = now + 20;
    if (watch.isOn) setTimeout(tick, 20);
  };
  setTimeout(tick, 20);
  let before = performance.now();
  const frame = now => {
    watch.frames.push(now - before);
    before = now;
    if (watch.isOn) requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
}"""
_UNWATCH = """() => {
  const { late, frames, long, observer } = window.mlestarWatch;
  window.mlestarWatch.isOn = false;
  observer.disconnect();
  return { late, frames, long };
}"""
TREE, LOG, PLAIN = ".mlestar-Tree", ".mlestar-Log", "#plain-rows"
ROWS = f"{TREE} [role=treeitem]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--candidates", type=int, default=2000)
    count = parser.parse_args().candidates
    if why := obstacle():
        sys.exit(why)
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        folder = root / "bench"
        write_demo_task(folder / "task")
        events = write_long_run(folder / "task", folder / LONG, count)
        size = (folder / LONG / "journal.jsonl").stat().st_size / 1e6
        load = " ".join(f"{each:.1f}" for each in os.getloadavg())
        print(f"{count} candidates, {events} events, a journal of {size:.1f} MB")
        print(f"{os.cpu_count()} cores, load of the machine {load}\n", flush=True)
        with lab_server(root, root / "own") as address, open_page() as page:
            lab = Lab(page, address, folder)
            open_the_run(lab)
            scroll(lab)
            for what, inserts in {"a storm": False, "a storm with cells": True}.items():
                write_settings(root / "own" / "settings", inserts)
                storm(lab, count, what)


def write_settings(settings: Path, inserts: bool) -> None:
    """Whether cells are inserted as they come; it holds from the next load of the page on."""
    path = settings / EXTENSION / "plugin.jupyterlab-settings"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"insertCells": inserts}), encoding="utf-8")


def open_the_run(lab: Lab) -> None:
    """From nothing to the rows of the tree, and from a panel that was hidden."""
    lab.open("%load_ext mlestar_jupyter")
    run_all(lab)
    lab.panel.get_by_label("Run", exact=True).wait_for()
    chosen = painted(
        lab,
        f"""const select = document.querySelector('.mlestar-Header-switch select');
        const {{ set }} = Object.getOwnPropertyDescriptor(HTMLSelectElement.prototype, 'value');
        set.call(select, '{LONG}');
        select.dispatchEvent(new Event('change', {{ bubbles: true }}));""",
    )
    print(f"{'choosing the run, until its rows are painted':<52}{chosen:>8.0f} ms")
    opened = []
    for _ in range(5):
        lab.page.evaluate("() => jupyterapp.shell.collapseRight()")
        lab.panel.wait_for(state="hidden")
        opened.append(painted(lab, "void jupyterapp.commands.execute('mlestar:open')"))
    print(f"{'opening the panel, until the rows are painted':<52}{middle(opened):>8.0f} ms")
    nodes = lab.page.evaluate("() => document.querySelectorAll('#mlestar-panel *').length")
    rows = lab.page.evaluate(f"() => document.querySelectorAll('{ROWS}').length")
    print(f"{'elements in the panel, rows of the tree':<52}{nodes:>8}{rows:>6}\n")


def run_all(lab: Lab) -> None:
    """Run the cells, once there is a kernel for them."""
    lab.wait(
        "() => jupyterapp.shell.currentWidget.sessionContext.session?.kernel?.status === 'idle'"
    )
    lab.run_cells()


def scroll(lab: Lab) -> None:
    """Through the whole tree and the whole log."""
    print(f"{'frames, in ms':<28}{'median':>8}{'95 %':>8}{'worst':>8}{'> 50':>6}{'long tasks':>12}")
    lab.page.evaluate(_PLAIN, 2000)
    for what, selector in {"plain rows": PLAIN, "the tree": TREE, "the log": LOG}.items():
        lab.page.locator(selector).scroll_into_view_if_needed()
        seen = lab.page.evaluate(_SCROLL, [selector, 300])
        report(f"scrolling {what}", seen["times"], seen["long"])
        if selector == PLAIN:
            lab.page.locator(PLAIN).evaluate("list => list.remove()")
    print()


def storm(lab: Lab, count: int, what: str) -> None:
    """Candidates by the thousand while the panel is open; one is opened in the middle of it."""
    name = what.replace(" ", "-")
    source = STORM.format(folder=str(Path(__file__).parent), name=name, count=count)
    lab.open("%load_ext mlestar_jupyter", source)
    lab.page.evaluate(_WATCH)
    began = time.monotonic()
    run_all(lab)
    lab.panel.get_by_role("heading", name=name).wait_for()
    lab.wait(f"() => document.querySelectorAll('{ROWS}').length > 10")
    page_opened = painted(lab, f"document.querySelector('{ROWS}').click()", "article.mlestar-Page")
    lab.command("mlestar:open")
    lab.press("Back")
    output = lab.page.locator(".jp-OutputArea-output").filter(has_text="the storm is over")
    output.wait_for(timeout=900_000)
    taken = time.monotonic() - began
    seen = lab.page.evaluate(_UNWATCH)
    report(f"{what}: frames", seen["frames"], seen["long"])
    report(f"{what}: timers late", seen["late"], [])
    print(f"  {count} candidates in {taken:.0f} s; one opened meanwhile in {page_opened:.0f} ms\n")


def painted(lab: Lab, act: str, elements: str = ROWS) -> float:
    """Milliseconds from an act until elements (the rows of the tree) are painted."""
    return float(lab.page.evaluate(_PAINTED, [act, elements]))


def report(what: str, times: list[float], long: list[float]) -> None:
    """One line: median, 95th percentile, worst, how many were felt, and what blocked the page."""
    slow = sum(time > 50 for time in times)
    blocked = f"{len(long)} ({max(long):.0f})" if long else "0"
    ordered = sorted(times)
    print(
        f"{what:<28}{middle(times):>8.1f}{ordered[int(len(ordered) * 0.95)]:>8.1f}"
        f"{ordered[-1]:>8.1f}{slow:>6}{blocked:>12}",
        flush=True,
    )


def middle(values: list[Any]) -> float:
    return float(sorted(values)[len(values) // 2])


if __name__ == "__main__":
    main()
