"""Find the assistants among a project's vector stores without reading the whole list each time.

A project may have thousands of vector stores of other programs, and the API lists all of them,
newest first, 100 per request. So gptasst remembers some ids to find its place in the list
(`anchors`) and the ids of assistants (`own`). Only a new store can be an assistant that is not
known yet, so the list is read up to an anchor, and known assistants are read by id.

If a server's order is unreliable, there are no anchors, and the list is read completely.
"""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, field, replace
from datetime import timedelta

from gptasst.api.types import VectorStore
from gptasst.api.vector_stores import PAGE, VectorStoreGateway
from gptasst.errors import AccessDenied, NotFound, ServiceError
from gptasst.threads import mapped
from gptasst.uploads.project_cache import ProjectCache
from gptasst.values import dataclass

MARKER = "gptasst"
KEPT_HERE = '`store = "local"` in its profile, or GPTASST_STORE=local, keeps them here'
# The codes of errors that leave the rest of a project usable.
_UNLISTED = ("service_error", "bad_request", "no_permission", "incomplete_list")
_JOBS = 8
_MOST_ANCHORS = 1000
# Stores of the same second may be in any order, so the first anchor alone is not enough.
_OVERLAP = 20
# Seconds that the clocks of a server's machines may differ.
_SKEW = timedelta(minutes=1)


def is_assistant(store: VectorStore) -> bool:
    """Whether a vector store is an assistant; others are never listed or changed."""
    return MARKER in store.metadata


@dataclass(frozen=True, slots=True)
class KnownStores:
    """What is remembered of a project's list.

    `anchors` are the ids of the newest stores, newest first. `own` has the names of assistants by
    id, the least recently checked first. `total` is the approximate number of stores. `ordered` is
    false if a new store was not listed first.
    """

    anchors: Sequence[str] = ()
    own: Mapping[str, str] = field(default_factory=dict)
    total: int = 0
    ordered: bool = True

    @classmethod
    def read(cls, text: str | None) -> KnownStores:
        """Read it from JSON; anything invalid means that nothing is known."""
        try:
            known = cls(**json.loads(text or "{}"))
            own = {str(store_id): str(name) for store_id, name in known.own.items()}
            return cls([*map(str, known.anchors)], own, int(known.total), known.ordered is True)
        except (ValueError, TypeError, AttributeError):
            return cls()

    def text(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False, separators=(",", ":"))

    def id_of(self, name: str) -> str | None:
        """The id of the only known assistant with this name or id."""
        ids = [store_id for store_id, known_as in self.own.items() if known_as == name]
        if len(ids) == 1:
            return ids[0]
        return name if not ids and name in self.own else None


@dataclass(frozen=True, slots=True)
class Look:
    """The result of reading the list once.

    `shown` are the ids of all stores read, `names` the names of all known assistants by id,
    `unseen` the ids of those that were not read.
    """

    found: Sequence[VectorStore]
    shown: frozenset[str]
    names: Mapping[str, str]
    unseen: Sequence[str]


class AssistantListing:
    """The assistants among the vector stores of one project.

    Args:
        stores: the project.
        cache: remembers what was seen; without it, the list is read completely. If two projects
            share a cache, neither finds the other's anchors, so each reads its list completely.
    """

    def __init__(self, stores: VectorStoreGateway, cache: ProjectCache) -> None:
        self._stores = stores
        self._cache = cache

    def known(self) -> KnownStores:
        return KnownStores.read(self._cache.listing())

    def whole(self) -> Sequence[VectorStore]:
        """Every assistant, from the whole list."""
        return self._with_unseen(self._look(replace(self.known(), anchors=())))

    def all(self, containing: str | None = None) -> Sequence[VectorStore]:
        """Every assistant, current: new ones from the list, known ones by id.

        Args:
            containing: as in `newest`.
        """
        look = self._look(self.known(), complete=True)
        return self._with_unseen(self._checked(look, containing))

    def _with_unseen(self, look: Look) -> Sequence[VectorStore]:
        """The assistants found, plus known ones that still exist: a server may end a list early."""
        if not look.unseen:
            return look.found
        found = [*look.found, *self.look_at(look.unseen)]
        return sorted(found, key=lambda store: store.created_at, reverse=True)

    def newest(self, containing: str | None = None) -> Look:
        """New assistants, and others that the same requests show.

        Args:
            containing: a store that was just created. If it is missing, new stores are not listed
                first, and the list is read completely.
        """
        return self._checked(self._look(self.known()), containing)

    def newest_or_no_list(self) -> Look:
        """Like `newest`, for callers that can do without the list.

        Raises:
            ServiceError: the server fails to list vector stores, or the key may not (`no_list`); or
                it has none.
        """
        try:
            return self.newest()
        except (ServiceError, AccessDenied) as error:
            if error.code not in _UNLISTED:
                raise
            raise ServiceError(
                f"assistants can't be looked up: {error.message}", hint=KEPT_HERE, code="no_list"
            ) from error

    def _checked(self, look: Look, containing: str | None) -> Look:
        if containing is None or containing in look.shown:
            return look
        look = self._look(replace(self.known(), anchors=()))
        if containing in look.shown:
            known = self.known()
            self._keep(known, replace(known, anchors=(), ordered=False))
        return look

    def get(self, store_id: str) -> VectorStore | None:
        """A known assistant, if it still exists."""
        found = self._get(store_id)
        if found is None or found.name != self.known().own.get(store_id):
            self._note([store_id], [] if found is None else [found])
        return found if found is not None and is_assistant(found) else None

    def look_at(self, ids: Sequence[str]) -> Sequence[VectorStore]:
        """The assistants with these ids that still exist."""
        found = [store for store in mapped(self._get, ids, _JOBS) if store is not None]
        self._note(ids, found)
        return [store for store in found if is_assistant(store)]

    def remember(self, store_id: str, name: str) -> None:
        """Remember an assistant that was created or renamed here."""
        known = self.known()
        self._keep(known, replace(known, own={**known.own, store_id: name}))

    def forget(self, store_id: str) -> None:
        self._note([store_id], [])

    def _look(self, known: KnownStores, *, complete: bool = False) -> Look:
        """Read the list up to something known, or to its end.

        Args:
            known: what is remembered.
            complete: continue if that takes fewer requests than reading each by id.
        """
        listed = _listed(self._stores)
        stores, ended = _read(listed, known)
        unseen = known.own.keys() - {store.id for store in stores}
        total = known.total + len({store.id for store in stores} - set(known.anchors))
        if complete and not ended and len(unseen) > (total - len(stores)) / PAGE:
            stores += listed
            ended = True
        if not ended and not _in_order(stores):
            stores += listed
            ended = True
        shown = [store.id for store in stores]
        found = [store for store in stores if is_assistant(store)]
        older = {i: n for i, n in known.own.items() if i not in set(shown)}
        names = {**older, **{store.id: store.name for store in reversed(found)}}
        ordered = known.ordered and _in_order(stores)
        anchors = _anchors(shown, () if ended else known.anchors) if ordered else []
        total = len(stores) if ended else total
        self._keep(known, replace(known, anchors=anchors, own=names, total=total))
        return Look(found, frozenset(shown), names, list(older))

    def _get(self, store_id: str) -> VectorStore | None:
        try:
            return self._stores.get(store_id)
        except NotFound:
            return None

    def _note(self, asked: Sequence[str], found: Sequence[VectorStore]) -> None:
        """Remember the results of reading assistants by id."""
        known = self.known()
        rest = {store_id: name for store_id, name in known.own.items() if store_id not in asked}
        names = {**rest, **{store.id: store.name for store in found}}
        self._keep(known, replace(known, own=names))

    def _keep(self, before: KnownStores, known: KnownStores) -> None:
        counts = Counter(known.own.values())
        unique = {name: i for i, name in known.own.items() if counts[name] == 1}
        self._cache.remember_assistants(unique)
        if known.text() != before.text():
            self._cache.remember_listing(known.text())


def _listed(stores: VectorStoreGateway) -> Iterator[VectorStore]:
    """The project's complete list, page by page.

    Raises:
        ServiceError: the server has no vector stores (`no_vector_stores`), or failed.
    """
    try:
        yield from stores.list()
    except ServiceError as error:
        if error.code == "incomplete_list":
            raise ServiceError(error.message, hint=KEPT_HERE, code=error.code) from error
        if error.code != "no_endpoint":
            raise
        raise ServiceError(
            f"{stores.server} has no vector stores to keep assistants in",
            hint=KEPT_HERE,
            code="no_vector_stores",
        ) from error


def _read(listed: Iterator[VectorStore], known: KnownStores) -> tuple[list[VectorStore], bool]:
    """The pages of a list until enough is known, and whether the list ended."""
    anchors = frozenset(known.anchors)
    enough = min(_OVERLAP, len(anchors))
    stores: list[VectorStore] = []
    seen = 0
    while True:
        page = list(itertools.islice(listed, PAGE))
        stores += page
        seen += sum(store.id in anchors for store in page)
        if len(page) < PAGE:
            return stores, True
        if anchors and seen >= enough:
            return stores, False


def _in_order(stores: Sequence[VectorStore]) -> bool:
    """Whether a list is sorted newest first, as the API promises."""
    times = [store.created_at for store in stores]
    falling = all(later <= earlier + _SKEW for earlier, later in itertools.pairwise(times))
    return falling and (not times or times[0] >= times[-1])


def _anchors(shown: Sequence[str], before: Sequence[str]) -> list[str]:
    """The next anchors: the ids just seen, and those after them."""
    seen = set(shown)
    last = max((place for place, anchor in enumerate(before) if anchor in seen), default=-1)
    return [*shown, *before[last + 1 :]][:_MOST_ANCHORS]
