"""The roles that mend and judge (section 3.4): debugger, the two checkers, the last step."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mlestar_jupyter.agents.llm import data, replies, work
from mlestar_jupyter.agents.llm.asking import Asking, Question
from mlestar_jupyter.agents.llm.contract import check_change
from mlestar_jupyter.agents.llm.prompt import render
from mlestar_jupyter.candidate import Failure, Finding
from mlestar_jupyter.errors import ReplyError
from mlestar_jupyter.interfaces import Brief, DataUsageEvidence, DataUsageVerdict, LeakageVerdict
from mlestar_jupyter.solution import Solution

#: What thins out rows or rounds; without any of it there is nothing to take out in the end.
_SAVES_TIME = re.compile(
    r"\.sample\((?!frac=1\b)|\.head\(|\bnrows\s*=|\b(?:max|most|n)_rows\b|\bsub_?sampl\w*(?!\s*=\s*0?\.)"
    r"|\[\s*:\s*\d{3,}|\btrain_size\b|\bresample\(|choice\(",
    re.IGNORECASE,
)


def debug(asking: Asking, brief: Brief, solution: Solution, failure: Failure) -> Solution | None:
    """A corrected solution, from one question that may search the web for the error.

    Its reply is code and no data, so that a second question for the form is not needed.
    """
    prompt = render(
        "debug",
        task=asking.about(brief),
        failure=work.failure(failure),
        solution=work.script(solution),
    )

    def read(text: str) -> Solution | None:
        if replies.is_none(text):
            return None
        return _changed(solution, replies.changed_blocks(text, solution))

    search = asking.line.llm.searches
    return asking.ask(brief, Question("debug", prompt, read, search=search, block=failure.block))


def check_leakage(
    asking: Asking, brief: Brief, solution: Solution, evidence: Sequence[Finding]
) -> LeakageVerdict:
    """The verdict on what was seen. What is sure is a leak, and can only be corrected."""
    prompt = render(
        "check_leakage",
        task=asking.about(brief),
        evidence=work.evidence(evidence),
        solution=work.script(solution),
    )
    sure = next((finding for finding in evidence if finding.certain), None)

    def read(text: str) -> LeakageVerdict:
        found = data.read(text, data.LEAKAGE)
        reason = " ".join(found["reason"].split())
        if found["leaks"]:
            blocks = _sources(solution, found["blocks"])
            if blocks:
                _changed(solution, blocks)
            return LeakageVerdict(True, reason, blocks)
        if sure is not None:
            raise ReplyError(f"this finding is sure, correct it: {sure}")
        return LeakageVerdict(False, reason)

    return asking.ask(brief, Question("check_leakage", prompt, read, schema=data.LEAKAGE))


def check_data_usage(
    asking: Asking, brief: Brief, solution: Solution, evidence: DataUsageEvidence
) -> DataUsageVerdict:
    """Whether something useful is left unused; nothing is asked where nothing is."""
    if not evidence.unused_files and not evidence.unused_columns:
        return DataUsageVerdict(True, "everything is used")
    prompt = render(
        "check_data_usage",
        task=asking.about(brief),
        unused=work.unused(evidence),
        solution=work.script(solution),
    )

    def read(text: str) -> DataUsageVerdict:
        found = data.read(text, data.DATA_USAGE)
        reason = " ".join(found["reason"].split())
        if found["complete"]:
            return DataUsageVerdict(True, reason)
        blocks = _sources(solution, found["blocks"])
        return DataUsageVerdict(False, reason, _changed(solution, blocks))

    return asking.ask(brief, Question("check_data_usage", prompt, read, schema=data.DATA_USAGE))


def finalize(asking: Asking, brief: Brief, solution: Solution) -> Solution:
    """The solution without what only saved time; nothing is asked where nothing seems to."""
    if not any(_SAVES_TIME.search(block.source) for block in solution.blocks):
        return solution
    prompt = render("finalize", task=asking.about(brief), solution=work.script(solution))

    def read(text: str) -> Solution:
        if replies.is_none(text):
            return solution
        return _changed(solution, replies.changed_blocks(text, solution))

    return asking.ask(brief, Question("finalize", prompt, read))


def _sources(solution: Solution, blocks: Sequence[dict[str, str]]) -> dict[str, str]:
    """Blocks of a reply by name, as the solution spells it."""
    names = {name.lower(): name for name in solution.names}
    sources = {}
    for block in blocks:
        name = block["name"].strip(" `")
        if name.lower() not in names:
            known = ", ".join(solution.names)
            raise ReplyError(f"the solution has no block {name}; its blocks are {known}")
        parts = replies.fences(block["source"])
        sources[names[name.lower()]] = (parts[0].text if parts else block["source"]).strip("\n")
    return sources


def _changed(solution: Solution, sources: dict[str, str]) -> Solution:
    """The solution with these blocks; ReplyError when none of them differs from what it was."""
    changed = solution
    for name, source in sources.items():
        if solution.replace(name, source).key != solution.key:
            check_change(solution, name, source)
            changed = changed.replace(name, source)
    if changed.key == solution.key:
        raise ReplyError("no block differs from what it was; change what is to be changed")
    return changed
