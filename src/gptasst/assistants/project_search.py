"""Searching the knowledge of a project's assistant on its server."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from gptasst.api.upload_marks import shown_name
from gptasst.api.vector_stores import VectorStoreGateway
from gptasst.assistants.types import RunTarget
from gptasst.inputs.ignore import fits_patterns
from gptasst.knowledge.places import LocalPlaces
from gptasst.knowledge.types import FoundPassage, shown_score

if TYPE_CHECKING:
    from gptasst.knowledge.question import Question


def fitting(filters: Sequence[str], paths: Iterable[str]) -> tuple[str, ...]:
    """The paths that match filters: servers compare attributes and don't support patterns."""
    return tuple(sorted(path for path in paths if fits_patterns(filters, path)))


def found_passages(
    stores: VectorStoreGateway, target: RunTarget, question: Question, limit: int
) -> Sequence[FoundPassage]:
    """The passages that the server finds in an assistant's knowledge, best first."""
    if not target.knowledge_sha256 or target.paths == ():
        return ()
    hits = stores.search(
        target.id,
        question.task,
        min(limit, target.search.max_results or limit),
        score_threshold=target.search.score_threshold,
        paths=target.paths,
    )
    named = [str(hit.attributes.get("path") or shown_name(hit.filename)) for hit in hits]
    places = LocalPlaces()
    return [
        FoundPassage(path, places.of(path, hit.text), hit.text, shown_score(hit.score))
        for path, hit in zip(named, hits, strict=True)
    ]
