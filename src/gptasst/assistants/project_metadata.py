"""How an assistant is written into a vector store: its metadata, and its files' attributes."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from gptasst.api.types import VectorStore, VectorStoreFile
from gptasst.definitions.toml import dump_definition
from gptasst.definitions.types import Definition
from gptasst.errors import StateError
from gptasst.installation import upgrade_command
from gptasst.knowledge.types import KnowledgeFile
from gptasst.uploads.types import KnowledgeSource

MARKER = "gptasst"
_VERSION = "1"
_LIMIT = 512  # characters of a metadata value
_CREATING = "creating"


@dataclass(frozen=True, slots=True)
class Pointer:
    """What a vector store's metadata says of its assistant.

    `conversation` and `item` are where the definition's text lies, `creating` is true until
    its first knowledge is in.
    """

    model: str
    instruction: str
    revision: int
    definition_sha256: str
    conversation: str
    item: str
    knowledge_sha256: str
    updated_at: datetime
    creating: bool = False

    def to(self, definition: Definition, text: str, item: str, revision: int) -> Pointer:
        """The pointer to another revision."""
        return replace(
            self,
            model=definition.model or "",
            instruction=definition.instruction or "",
            revision=revision,
            definition_sha256=text_sha256(text),
            item=item,
            updated_at=now(),
        )

    def metadata(self, before: Mapping[str, str]) -> dict[str, str]:
        """All of a vector store's metadata; what others keep there (`before`) stays."""
        own = {
            MARKER: _VERSION,
            "model": self.model[:_LIMIT],
            "instruction": self.instruction[:_LIMIT],
            "revision": str(self.revision),
            "definition_sha256": self.definition_sha256,
            "conversation": self.conversation,
            "definition_item": self.item,
            "knowledge_sha256": self.knowledge_sha256,
            "updated_at": str(int(self.updated_at.timestamp())),
            "state": _CREATING if self.creating else "ready",
        }
        return {**before, **own}


def is_assistant(store: VectorStore) -> bool:
    """Whether a vector store is one of ours; any other is never listed or touched."""
    return MARKER in store.metadata


def read_pointer(store: VectorStore) -> Pointer:
    """What the metadata of an assistant's store says.

    Raises:
        StateError: it was written by a newer gptasst, or was damaged.
    """
    data = store.metadata
    if data.get(MARKER) != _VERSION:
        raise StateError(
            f"the assistant `{store.name}` ({store.id}) was written by a newer gptasst",
            hint=upgrade_command(),
            code="newer_store",
        )
    try:
        return Pointer(
            model=data.get("model", ""),
            instruction=data.get("instruction", ""),
            revision=int(data["revision"]),
            definition_sha256=data["definition_sha256"],
            conversation=data["conversation"],
            item=data["definition_item"],
            knowledge_sha256=data.get("knowledge_sha256", ""),
            updated_at=datetime.fromtimestamp(float(data["updated_at"]), UTC),
            creating=data.get("state") == _CREATING,
        )
    except (KeyError, ValueError) as error:
        raise StateError(
            f"the metadata of the assistant `{store.name}` ({store.id}) is damaged: {error}",
            hint="what is in it is shown by the server's own console",
            code="bad_store",
        ) from None


def item_text(definition: Definition, moment: datetime) -> str:
    """A definition as it lies in the conversation: TOML, with the time of the revision."""
    return (
        f"# revision of {moment.isoformat(timespec='microseconds')}\n{dump_definition(definition)}"
    )


def item_time(text: str) -> datetime | None:
    """When a revision was written, if its text says so."""
    head = text.partition("\n")[0].removeprefix("# revision of ")
    try:
        return datetime.fromisoformat(head)
    except ValueError:
        return None


def without_time(text: str) -> str:
    """The definition in an item's text."""
    return text.partition("\n")[2]


def text_sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def file_attributes(source: KnowledgeSource) -> dict[str, str | float | bool]:
    return {"path": source.path, "sha256": source.sha256, "size": source.size}


def knowledge_file(file: VectorStoreFile) -> KnowledgeFile:
    """A file of the vector store; one that somebody else put there is known by its id."""
    attributes = file.attributes
    return KnowledgeFile(
        id=file.id,
        path=str(attributes.get("path", file.id)),
        size=int(attributes.get("size", 0)),
        sha256=str(attributes.get("sha256", "")),
        added_at=file.created_at,
        status=file.status,
        problem=file.error,
    )


def now() -> datetime:
    return datetime.fromtimestamp(time.time(), UTC)
