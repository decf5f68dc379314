"""What it takes to bring an assistant's knowledge into line with files on disk."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from gptasst.inputs.types import Refusal
from gptasst.knowledge.types import KnowledgeFile, KnowledgePlan, Replacement
from gptasst.uploads.types import KnowledgeSource

_USELESS = ("failed", "cancelled")


def plan_knowledge(
    there: Sequence[KnowledgeFile],
    wanted: Sequence[KnowledgeSource],
    *,
    whole: bool,
    refused: Sequence[Refusal] = (),
) -> KnowledgePlan:
    """Compare contents with what is there.

    Args:
        there: the knowledge as it is. What gptasst did not put there (no sha256) stays.
        wanted: the files on disk, each path once.
        whole: `wanted` is all there should be; else the other files stay.
        refused: goes into the plan as it is; a refused path that is there stays.
    """
    by_path: defaultdict[str, list[KnowledgeFile]] = defaultdict(list)
    for file in there:
        if file.sha256:
            by_path[file.path].append(file)
    add, replace, remove = [], [], []
    unchanged = [file for file in there if not file.sha256]
    for source in wanted:
        own = by_path.pop(source.path, [])
        same = [f for f in own if f.sha256 == source.sha256 and f.status not in _USELESS]
        keep = min(same, key=lambda file: file.status != "completed", default=None)
        others = [file for file in own if file is not keep]
        if keep is not None:
            unchanged.append(keep)
        elif others:
            replace.append(Replacement(source, others.pop()))
        else:
            add.append(source)
        remove += others  # left behind by a change that was interrupted
    kept_paths = {refusal.path for refusal in refused}
    for files in by_path.values():
        for file in files:
            (remove if whole and file.path not in kept_paths else unchanged).append(file)
    return KnowledgePlan(
        tuple(add), tuple(replace), tuple(remove), tuple(unchanged), tuple(refused)
    )
