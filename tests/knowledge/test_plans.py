"""Plans of knowledge, for any state of the server and the disk."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from gptasst.assistants.knowledge_files import plan_knowledge
from gptasst.knowledge.types import KnowledgeFile, KnowledgePlan
from gptasst.uploads.types import KnowledgeSource

_WHEN = datetime(2026, 11, 1, tzinfo=UTC)
_PATHS = st.sampled_from(["a.md", "b.md", "docs/c.md", "docs/d.yaml"])
_CONTENTS = st.sampled_from(["1" * 64, "2" * 64, "3" * 64])
_STATUSES = st.sampled_from(["completed", "in_progress", "failed", "cancelled"])


@st.composite
def servers(draw: st.DrawFn) -> list[KnowledgeFile]:
    """What an interrupted change may leave, with files of others (no sha256) in between."""
    rows = draw(st.lists(st.tuples(_PATHS, _CONTENTS | st.just(""), _STATUSES), max_size=8))
    return [
        KnowledgeFile(f"file-{number}", path, 1, sha256, _WHEN, status)
        for number, (path, sha256, status) in enumerate(rows)
    ]


@st.composite
def disks(draw: st.DrawFn) -> list[KnowledgeSource]:
    contents = draw(st.dictionaries(_PATHS, _CONTENTS, max_size=4))
    return [KnowledgeSource(path, Path(path), 1, sha256) for path, sha256 in contents.items()]


def carried_out(there: list[KnowledgeFile], plan: KnowledgePlan) -> list[KnowledgeFile]:
    gone = {file.id for file in plan.remove} | {change.old.id for change in plan.replace}
    new = [
        KnowledgeFile(f"new-{source.path}", source.path, source.size, source.sha256, _WHEN)
        for source in plan.wanted
    ]
    return [file for file in there if file.id not in gone] + new


@given(servers(), disks(), st.booleans())
def test_a_plan_that_was_carried_out_leaves_nothing_to_do(
    there: list[KnowledgeFile], wanted: list[KnowledgeSource], whole: bool
) -> None:
    after = carried_out(there, plan_knowledge(there, wanted, whole=whole))
    assert plan_knowledge(after, wanted, whole=whole).is_empty


@given(servers(), disks())
def test_a_whole_plan_brings_about_the_disk_and_nothing_else(
    there: list[KnowledgeFile], wanted: list[KnowledgeSource]
) -> None:
    after = carried_out(there, plan_knowledge(there, wanted, whole=True))
    own = [(file.path, file.sha256) for file in after if file.sha256]
    assert sorted(own) == sorted((source.path, source.sha256) for source in wanted)


@given(servers(), disks(), st.booleans())
def test_each_file_is_in_the_plan_once_and_those_of_others_stay(
    there: list[KnowledgeFile], wanted: list[KnowledgeSource], whole: bool
) -> None:
    plan = plan_knowledge(there, wanted, whole=whole)
    touched = [*plan.remove, *(change.old for change in plan.replace)]
    assert sorted(f.id for f in (*touched, *plan.unchanged)) == sorted(f.id for f in there)
    assert all(file.sha256 for file in touched)
