"""Assistants of a store, with the history of their definitions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from gptasst.models.definitions import Definition
from gptasst.models.knowledge import KnowledgeFile


@dataclass(frozen=True, slots=True)
class Assistant:
    """A definition and its knowledge under a name that is unique in its store."""

    id: str
    definition: Definition
    revision: int
    created_at: datetime
    updated_at: datetime
    knowledge: tuple[KnowledgeFile, ...] = ()

    @property
    def name(self) -> str:
        return self.definition.name


@dataclass(frozen=True, slots=True)
class AssistantSummary:
    """A line of `assistant list`. `size` is the knowledge in bytes."""

    id: str
    name: str
    model: str | None
    instruction: str | None
    files: int
    size: int
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Revision:
    """One saved state of an assistant's definition; `number` counts from 1."""

    number: int
    definition: Definition
    created_at: datetime
    current: bool
