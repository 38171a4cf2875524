"""Ensembles (section 3.3): members are inlined as they are, the model writes what combines them.

The paper has the model write out the whole ensemble. To copy members word for word is work that a
model does slowly and not always right, so only the changed blocks of members and the last block
are asked of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from mlestar_jupyter.agents.llm import replies
from mlestar_jupyter.agents.llm.contract import check_block
from mlestar_jupyter.candidate import Candidate
from mlestar_jupyter.errors import ReplyError
from mlestar_jupyter.solution import DEFAULT_PARAMETERS, Block, Solution, prefixed

#: The first block, and the last one.
START, COMBINE = "ensemble_start", "combine"
_KEPT = """# Every member writes to a file of its own; the last block writes the predictions.
final_path = predictions_path"""
_LITERAL = re.compile(rf"""(["']){re.escape(str(DEFAULT_PARAMETERS["predictions_path"]))}\1""")


def member_file(number: int) -> str:
    """Where a member, counted from 1, writes its predictions."""
    return f"s{number}_predictions.csv"


def inlined(solutions: Sequence[Candidate]) -> tuple[Block, ...]:
    """The members' blocks, each member with a file of its own for what it predicts."""
    blocks = [Block(START, _KEPT)]
    for number, member in enumerate(solutions, start=1):
        # A notebook of the user's may write the usual name word for word.
        own = [
            Block(block.name, _LITERAL.sub("predictions_path", block.source))
            for block in prefixed(member.solution, f"s{number}_")
        ]
        path = f'predictions_path = "{member_file(number)}"\n\n'
        blocks += [Block(own[0].name, path + own[0].source), *own[1:]]
    return tuple(blocks)


def combined(text: str, solutions: Sequence[Candidate], plan: str) -> Solution:
    """The ensemble: the members, some of their blocks as the reply changed them, and the last."""
    members = Solution(inlined(solutions))
    whole = Solution((*members.blocks, Block(COMBINE, "pass")))
    sources = dict(_sources(text, whole))
    last = sources.pop(COMBINE, None)
    if last is None:
        raise ReplyError("it lacks the block combine: put its source below `# %% combine`")
    if START in sources:
        raise ReplyError(f"block {START} stays as it is; change blocks of members only")
    if "predictions_path" not in last:
        raise ReplyError("block combine must write predictions_path")
    for name, source in sources.items():
        check_block(Block(name, source), members.source(name))
        members = members.replace(name, _with_path(members.source(name), source))
    check_block(Block(COMBINE, last))
    block = Block(COMBINE, f"predictions_path = final_path\n\n{last}")
    short = re.split(r"(?<=\w)[.;:]\s", plan.strip())[0]
    return Solution((*members.blocks, block), f"ensemble: {short[:60].strip()}")


def _sources(text: str, whole: Solution) -> Mapping[str, str]:
    """Blocks by name; a reply with one block and no name gives the last one."""
    try:
        return replies.changed_blocks(text, whole)
    except ReplyError:
        if re.search(r"^#+[ \t]*%%", text, re.MULTILINE):
            raise
        return {COMBINE: replies.block_source(text, COMBINE)}


def _with_path(before: str, source: str) -> str:
    """A changed first block of a member keeps the line with its file."""
    first = before.partition("\n")[0]
    if first.startswith("predictions_path = ") and first not in source:
        return f"{first}\n\n{source}"
    return source
