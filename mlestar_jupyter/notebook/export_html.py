"""The finished notebook as one HTML page that needs nothing else: no network and no script."""

from __future__ import annotations

import copy
import html
import re
from importlib import resources
from string import Template

from nbformat import NotebookNode

from mlestar_jupyter._version import __version__
from mlestar_jupyter.notebook.export_place import GENERATOR

# The policy is what keeps the page to itself: whatever HTML a cell or a task's description holds,
# nothing is loaded from anywhere, and no script runs.
_PAGE = Template("""\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="generator" content="${generator} ${version}">
<meta http-equiv="Content-Security-Policy"
  content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<style>
${style}
</style>
</head>
<body>
<main>
${body}
<footer>Written by ${generator} ${version}.</footer>
</main>
</body>
</html>
""")

# The cells of the solution are the report; all other code is folded.
_CELLS = """\
{%- extends 'basic/index.html.j2' -%}
{% block input_group %}
{%- set ours = cell.metadata.get('mlestar', {}) -%}
{% if 'block' in ours %}
{{ super() }}
{% else %}
<details><summary>code: {{ ours.get('part', 'cell') | replace('-', ' ') | e }}</summary>
{{ super() }}
</details>
{% endif %}
{% endblock input_group %}
"""
_NEEDS_SCRIPTS = ("application/javascript", "application/vnd.jupyter.widget-view+json")
_SCRIPT = re.compile(r"<script\b.*?(?:</script\s*>|\Z)|<link\b[^>]*>", re.DOTALL | re.IGNORECASE)
_TITLE = re.compile(r"<h1[^>]*>(.*?)</h1>", re.DOTALL)
_SECTION = re.compile(r"<h2>(.*?)</h2>", re.DOTALL)


def html_page(notebook: NotebookNode) -> str:
    """The page of an executed finished notebook, legible in light and in dark."""
    from nbconvert.exporters.html import HTMLExporter

    exporter = HTMLExporter(
        raw_template=_CELLS,
        exclude_input_prompt=True,
        exclude_output_prompt=True,
        exclude_anchor_links=True,
    )
    body, _ = exporter.from_notebook_node(_shown(notebook))
    body = _SCRIPT.sub("", body)
    # A wide table scrolls by itself; the page stays as wide as the window.
    body = re.sub(r"<table.*?</table>", r'<div class="table">\g<0></div>', body, flags=re.DOTALL)
    found = _TITLE.search(body)
    title = _plain(found[1]) if found else "report"
    body = _with_contents(body)
    return _PAGE.substitute(
        generator=GENERATOR, version=__version__, title=title, style=_style(), body=body
    )


def _with_contents(body: str) -> str:
    """The body with links to its sections, below the headline."""
    links: list[str] = []

    def named(heading: re.Match[str]) -> str:
        links.append(f'<a href="#section-{len(links) + 1}">{_plain(heading[1])}</a>')
        return f'<h2 id="section-{len(links)}">{heading[1]}</h2>'

    first = _SECTION.search(body)
    if first is None:
        return body
    place = max(0, body.rfind('<div class="cell', 0, first.start()))
    rest = _SECTION.sub(named, body[place:])
    return f"{body[:place]}<nav>{' '.join(links)}</nav>\n{rest}"


def _style() -> str:
    from pygments.formatters import HtmlFormatter

    style = resources.files("mlestar_jupyter.notebook").joinpath("report.css").read_text("utf-8")
    light = HtmlFormatter(style="default").get_style_defs(".highlight")
    dark = HtmlFormatter(style="github-dark").get_style_defs(".highlight")
    return f"{style}\n{light}\n@media (prefers-color-scheme: dark) {{\n{dark}\n}}"


def _shown(notebook: NotebookNode) -> NotebookNode:
    """A copy whose pictures have words, without outputs that are nothing unless a script runs."""
    shown = copy.deepcopy(notebook)
    shown.metadata.pop("widgets", None)
    for cell in shown.cells:
        ours = cell.metadata.get("mlestar", {})
        words = str(ours.get("part") or ours.get("block") or "output").replace("-", " ")
        cell.metadata.setdefault("alt", words)
        for output in cell.get("outputs", []):
            for kind in _NEEDS_SCRIPTS:
                output.get("data", {}).pop(kind, None)
        if cell.cell_type == "code":
            cell.outputs = [o for o in cell.outputs if o.get("data") != {}]
    return shown


def _plain(marked: str) -> str:
    """The text of some HTML, escaped once."""
    text = html.unescape(re.sub(r"<[^>]+>", "", marked))
    return html.escape(" ".join(text.split()))
