"""Finding the assistants among a project's vector stores, and reading their definitions."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from gptasst.api.conversations import ConversationGateway
from gptasst.api.types import VectorStore
from gptasst.api.vector_stores import VectorStoreGateway
from gptasst.assistants.project_metadata import Pointer, is_assistant, text_sha256
from gptasst.assistants.store_errors import no_assistant
from gptasst.definitions.toml import parse_definition
from gptasst.definitions.types import Definition
from gptasst.errors import NotFound, ServiceError, StateError, UsageError
from gptasst.uploads.cache import FileCache


class AssistantDirectory:
    """The assistants of one project, their ids and definitions remembered in the cache.

    Args:
        vector_stores, conversations: the project.
        cache: nothing depends on it; what it says is checked.
        scope: endpoint and project, as the cache has them.
    """

    def __init__(
        self,
        vector_stores: VectorStoreGateway,
        conversations: ConversationGateway,
        cache: FileCache,
        scope: str,
    ) -> None:
        self._stores = vector_stores
        self._conversations = conversations
        self._cache = cache
        self._scope = scope

    def all(self) -> Sequence[VectorStore]:
        """The vector stores of all assistants.

        Raises:
            ServiceError: the server has no vector stores (`no_vector_stores`), or failed.
        """
        try:
            found = [store for store in self._stores.list() if is_assistant(store)]
        except ServiceError as error:
            if error.code != "no_endpoint":
                raise
            raise ServiceError(
                f"{error.message.partition(' has nothing at')[0]} has no vector stores,"
                " in which assistants are kept",
                hint='`store = "local"` in its profile, or GPTASST_STORE=local, keeps them here',
                code="no_vector_stores",
            ) from error
        counts = Counter(store.name for store in found)
        unique = {store.name: store.id for store in found if counts[store.name] == 1}
        self._cache.remember_assistants(self._scope, unique, whole=True)
        return found

    def named(self, name: str) -> VectorStore | None:
        """The assistant that has a name, read from the server's whole list.

        Raises:
            UsageError: two have it.
        """
        found = [store for store in self.all() if store.name == name]
        if len(found) > 1:
            raise _ambiguous(name, found)
        return found[0] if found else None

    def find(self, name: str) -> VectorStore:
        """An assistant by name or id, by its remembered id if that still stands.

        Raises:
            NotFound: there is none; the hint has the nearest name.
            UsageError: two have that name.
        """
        remembered = self._remembered(name)
        if remembered is not None:
            return remembered
        found = self.all()
        named = [store for store in found if store.name == name]
        if len(named) > 1:
            raise _ambiguous(name, named)
        named = named or [store for store in found if store.id == name]
        if not named:
            raise no_assistant(name, [store.name for store in found])
        return named[0]

    def _remembered(self, name: str) -> VectorStore | None:
        store_id = self._cache.assistant_id(self._scope, name)
        if store_id is None:
            return None
        try:
            store = self._stores.get(store_id)
        except NotFound:
            store = None
        if store is not None and store.name == name and is_assistant(store):
            return store
        self.forget(name)
        return None

    def remember(self, store_id: str, name: str) -> None:
        self._cache.remember_assistants(self._scope, {name: store_id})

    def forget(self, name: str) -> None:
        self._cache.forget_assistant(self._scope, name)

    def definition(self, store: VectorStore, pointer: Pointer) -> Definition:
        """The definition that a pointer points to; the vector store's name is its name.

        Raises:
            StateError: it is not there, or not what it was.
        """
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
            raise _lost_definition(store)
        return text

    def forget_uploads(self, file_ids: Sequence[str]) -> None:
        self._cache.forget_uploads(self._scope, file_ids)


def _ambiguous(name: str, stores: Sequence[VectorStore]) -> UsageError:
    ids = " and ".join(f"`{store.id}`" for store in stores)
    return UsageError(
        f"there are {len(stores)} assistants `{name}`: {ids}",
        hint=f"`gptasst assistant edit {stores[0].id} --rename NEW` tells them apart",
        code="ambiguous_name",
    )


@contextlib.contextmanager
def definitions_of(store: VectorStore) -> Iterator[None]:
    """Say that an assistant's definitions are lost where its conversation is not found."""
    try:
        yield
    except NotFound as error:
        raise _lost_definition(store) from error


def _lost_definition(store: VectorStore) -> StateError:
    return StateError(
        f"the definition of the assistant `{store.name}` ({store.id}) is not where it should be",
        hint=f"`gptasst assistant delete {store.id}` removes the rest; an export can be imported",
        code="bad_store",
    )
