"""Finding the assistants among a project's vector stores, and reading their definitions."""

from __future__ import annotations

import contextlib
import shlex
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from gptasst.api.conversations import ConversationGateway
from gptasst.api.types import VectorStore, VectorStoreFile
from gptasst.api.vector_stores import VectorStoreGateway
from gptasst.assistants.known_uploads import proven_by_attributes
from gptasst.assistants.project_listing import MARKER, AssistantListing
from gptasst.assistants.store import no_assistant
from gptasst.definitions.toml import dump_definition, name_problem, parse_definition
from gptasst.definitions.types import Definition
from gptasst.errors import NotFound, StateError, UsageError
from gptasst.hints import cmd, upgrade_command
from gptasst.knowledge.types import KnowledgeFile, sha256_of_knowledge
from gptasst.uploads.project_cache import ProjectCache
from gptasst.uploads.types import KnowledgeSource
from gptasst.values import dataclass


class AssistantDirectory:
    """The assistants of one project, with ids and definitions cached.

    Args:
        vector_stores, conversations: the project.
        cache: an aid only; its contents are verified.
    """

    def __init__(
        self,
        vector_stores: VectorStoreGateway,
        conversations: ConversationGateway,
        cache: ProjectCache,
    ) -> None:
        self._stores = vector_stores
        self._conversations = conversations
        self._cache = cache
        self._listing = AssistantListing(vector_stores, cache)

    def all(
        self, *, whole_list: bool = False, made: VectorStore | None = None
    ) -> Sequence[VectorStore]:
        """The current vector stores of all assistants.

        Args:
            whole_list: read the project's whole list, and use nothing remembered.
            made: a store that was just created and must be in the result.

        Raises:
            ServiceError: the server has no vector stores (`no_vector_stores`), or failed.
        """
        if whole_list:
            return self._listing.whole()
        return self._listing.all(containing=made.id if made else None)

    def newest(self, made: VectorStore) -> Sequence[VectorStore]:
        """The newest assistants, including one that was just created."""
        return self._listing.newest(containing=made.id).found

    def find(self, name: str, *, briefly: bool = False) -> VectorStore:
        """An assistant by name or id, using its remembered id if it is still valid.

        Args:
            name: the name or id.
            briefly: check new assistants and those known by that name, but only one of the others,
                a different one each time. Takes two requests.

        Raises:
            NotFound: there is none; the hint suggests a similar name.
            UsageError: two have that name.
            ServiceError: `no_list`, if the newest ones can't be listed.
        """
        store_id = self._listing.known().id_of(name)
        remembered = self._listing.get(store_id) if store_id else None
        if remembered is not None and name in (remembered.name, remembered.id):
            return remembered
        if not briefly:
            return _chosen(name, self._listing.all())
        look = self._listing.newest_or_no_list()
        found = list(look.found)
        if not store_id and not any(store.name == name for store in found):
            found += self._listing.look_at(look.unseen[:1])
        return _chosen(name, found, look.names.values())

    def remember(self, store_id: str, name: str) -> None:
        self._listing.remember(store_id, name)

    def forget(self, store_id: str) -> None:
        self._listing.forget(store_id)

    def definition(self, store: VectorStore, pointer: Pointer) -> Definition:
        """The definition that a pointer refers to, with the vector store's name.

        Raises:
            StateError: it is missing or changed, or the assistant is being deleted.
        """
        if pointer.deleting:
            raise interrupted_deletion(store)
        text = self._cache.definition(pointer.definition_sha256)
        if text is None:
            text = self._read_definition(store, pointer)
            self.keep_definition(text)
        return replace(parse_definition(text, source=f"assistant {store.name}"), name=store.name)

    def keep_definition(self, text: str) -> None:
        self._cache.remember_definition(text_sha256(text), text)

    def _read_definition(self, store: VectorStore, pointer: Pointer) -> str:
        with definitions_of(store):
            text = self._conversations.item(pointer.conversation, pointer.item).text
        if text_sha256(text) != pointer.definition_sha256:
            raise _unusable_definition(store, "is not what its metadata says")
        return text

    def remember_knowledge(
        self, store_id: str, knowledge: Sequence[KnowledgeFile], *, contents: bool = True
    ) -> None:
        """Remember an assistant's knowledge: its paths, and the uploads of its `contents`."""
        files = [file for file in knowledge if file.sha256]
        known = {file.path: file.sha256 for file in files}
        if self._cache.knowledge(store_id) == known:
            return
        self._cache.remember_knowledge(store_id, known)
        if not contents:
            return
        recorded = {upload.file_id for upload in self._cache.all_uploads()}
        new = [file for file in files if file.id not in recorded]
        self._cache.remember_uploads([proven_by_attributes(file) for file in new])

    def known_paths(self, store_id: str, digest: str) -> frozenset[str] | None:
        """The paths of the knowledge with this digest, if it is remembered."""
        known = self._cache.knowledge(store_id)
        return frozenset(known) if sha256_of_knowledge(known.items()) == digest else None

    def learn_contents(
        self, wanted: Sequence[KnowledgeSource], listed: Sequence[VectorStore] | None
    ) -> None:
        """Learn which contents are on the server, from assistants that others changed.

        It takes at most as many requests as there are contents to upload.

        Args:
            wanted: the future knowledge.
            listed: the assistants' stores, if they were just read.
        """
        if not self._cache.is_synced():
            return  # read all of them before the first upload
        contents = {(source.sha256, "assistants") for source in wanted}
        found = self._cache.uploads(contents)
        budget = sum(not ids for ids in found.values()) - (listed is None)
        if budget < 1:
            return
        stores = self.all() if listed is None else listed
        news = [store for store in stores if store.files and not self._knows(store)]
        for store in news[:budget]:
            files = self._stores.files_if_there(store.id)
            self.remember_knowledge(store.id, [knowledge_file(file) for file in files])

    def _knows(self, store: VectorStore) -> bool:
        digest = store.metadata.get("knowledge_sha256", "")
        return self.known_paths(store.id, digest) is not None

    def forget_uploads(self, file_ids: Sequence[str]) -> None:
        self._cache.forget_uploads(file_ids)


def _chosen(name: str, found: Sequence[VectorStore], others: Iterable[str] = ()) -> VectorStore:
    """The assistant with that name, or else that id; `others` are further existing names."""
    named = [store for store in found if store.name == name]
    if len(named) > 1:
        raise _ambiguous(name, named)
    named = named or [store for store in found if store.id == name]
    if not named:
        raise no_assistant(name, [*(store.name for store in found), *others])
    return named[0]


def _ambiguous(name: str, stores: Sequence[VectorStore]) -> UsageError:
    ids = " and ".join(f"`{store.id}`" for store in stores)
    return UsageError(
        f"there are {len(stores)} assistants `{name}`: {ids}",
        hint=f"{cmd(f'assistant edit {stores[0].id} --rename NEW')} tells them apart",
        code="ambiguous_name",
    )


@contextlib.contextmanager
def definitions_of(store: VectorStore) -> Iterator[None]:
    """Report lost definitions if an assistant's conversation is not found."""
    try:
        yield
    except NotFound as error:
        raise _unusable_definition(store, "is not where its metadata says") from error


def interrupted_deletion(store: VectorStore) -> StateError:
    """The error for an assistant whose deletion is under way or was interrupted."""
    ident = store.id if name_problem(store.name) else store.name
    return StateError(
        f"the deletion of the assistant `{store.name}` ({store.id}) was interrupted, or goes on",
        hint=f"{cmd(f'assistant delete {shlex.quote(ident)} -y')} finishes it",
        code="bad_store",
    )


def _unusable_definition(store: VectorStore, problem: str) -> StateError:
    """The error for an unreadable definition. It never advises deletion: the knowledge exists."""
    return StateError(
        f"the definition of the assistant `{store.name}` ({store.id}) {problem}",
        hint=f"{cmd('assistant import FILE --name NEW')} makes another from an export of it",
        code="bad_store",
    )


_VERSION = "1"
_LIMIT = 512  # characters per metadata value, the API's limit
_CREATING, _RENAMING, _DELETING, _READY = "creating", "renaming", "deleting", "ready"


@dataclass(frozen=True, slots=True)
class Pointer:
    """An assistant's entry in its vector store's metadata.

    `conversation` and `item` locate the definition's text. `creating` is true until its first
    knowledge is attached, `renaming` until nobody else can have the new name, `deleting` once its
    deletion has started. `change` is the token of the last replacement of the whole knowledge,
    `rename` the machine that is renaming it and the old name (see `rename_claim`), `source` the
    file that it comes from (see `Assistant`).
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
    renaming: bool = False
    deleting: bool = False
    change: str = ""
    rename: str = ""
    source: str = ""

    def to(self, definition: Definition, text: str, item: str, revision: int) -> Pointer:
        """A pointer to another revision."""
        return replace(
            self,
            model=definition.model or "",
            instruction=definition.instruction or "",
            revision=revision,
            definition_sha256=text_sha256(text),
            item=item,
            updated_at=now(),
            deleting=False,
        )

    def metadata(self, before: Mapping[str, str]) -> dict[str, str]:
        """The complete metadata of a vector store; entries of others (`before`) are kept."""
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
            "state": self.state,
        }
        own |= {key: value for key, value in self._optional().items() if value or key in before}
        return {**before, **own}

    @property
    def state(self) -> str:
        """The operation that is under way or was interrupted; `ready` if there is none."""
        states = {_CREATING: self.creating, _RENAMING: self.renaming, _DELETING: self.deleting}
        return next((state for state, is_so in states.items() if is_so), _READY)

    def _optional(self) -> dict[str, str]:
        rename = self.rename if self.renaming else ""
        return {"knowledge_change": self.change, "rename": rename, "source": self.source}


def rename_claim(machine: str, name: str) -> str:
    """The metadata value of a machine that is renaming the assistant with this name."""
    return f"{machine} {name}"[:_LIMIT]


def read_pointer(store: VectorStore) -> Pointer:
    """Read the pointer in the metadata of an assistant's store.

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
            renaming=data.get("state") == _RENAMING,
            deleting=data.get("state") == _DELETING,
            change=data.get("knowledge_change", ""),
            rename=data.get("rename", ""),
            source=data.get("source", ""),
        )
    except (KeyError, ValueError) as error:
        raise StateError(
            f"the metadata of the assistant `{store.name}` ({store.id}) is damaged: {error}",
            hint="look at it in the server's own console",
            code="bad_store",
        ) from None


_REVISION, _PROPOSED = "# revision of ", "# proposed revision of "


def item_text(definition: Definition, moment: datetime, *, proposed: bool = False) -> str:
    """A definition in the form kept in the conversation: TOML, with the revision's time."""
    head = _PROPOSED if proposed else _REVISION
    return f"{head}{moment.isoformat(timespec='microseconds')}\n{dump_definition(definition)}"


def is_proposed(text: str) -> bool:
    """Whether a revision was kept to be tested first: it counts once the pointer moves to it."""
    return text.startswith(_PROPOSED)


def item_time(text: str) -> datetime | None:
    """When a revision was written, if its text has the time."""
    head = text.partition("\n")[0].removeprefix(_REVISION).removeprefix(_PROPOSED)
    try:
        return datetime.fromisoformat(head)
    except ValueError:
        return None


def without_time(text: str) -> str:
    """The definition in an item's text."""
    return text.partition("\n")[2]


def text_sha256(text: str) -> str:
    from hashlib import sha256

    return sha256(text.encode()).hexdigest()


def file_attributes(
    source: KnowledgeSource | KnowledgeFile, sent_sha256: str
) -> dict[str, str | float | bool]:
    """The attributes of a file in a vector store; `sent_sha256` is that of the uploaded bytes."""
    attributes: dict[str, str | float | bool]
    attributes = {"path": source.path, "sha256": source.sha256, "size": source.size}
    if sent_sha256 != source.sha256:
        attributes["sent_sha256"] = sent_sha256
    return attributes


def knowledge_file(file: VectorStoreFile) -> KnowledgeFile:
    """A file of the vector store; one that somebody else added is identified by its id."""
    attributes = file.attributes
    return KnowledgeFile(
        id=file.id,
        path=str(attributes.get("path", file.id)),
        size=int(attributes.get("size", 0)),
        sha256=str(attributes.get("sha256", "")),
        added_at=file.created_at,
        status=file.status,
        problem=file.error,
        sent_sha256=str(attributes.get("sent_sha256", "")),
    )


def now() -> datetime:
    return datetime.fromtimestamp(time.time(), UTC)
