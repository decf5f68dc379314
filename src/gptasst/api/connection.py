"""The connection to one endpoint: requests, lists, the SDK, and creates that happen once."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar
from urllib.parse import quote

from gptasst.api.attempts import Attempts
from gptasst.api.clients import base_url_of, make_client, make_http_client, make_sdk
from gptasst.api.errors import reading, translate_error
from gptasst.api.events import Event
from gptasst.api.failures import is_missing_object
from gptasst.api.http import RequestFailure, Response, StatusFailure
from gptasst.api.limits import MAX_ITEMS, Timeouts, patience, too_much, too_slow
from gptasst.api.masking import mask_error, masked
from gptasst.api.retries import ATTEMPTS, wait_before_retry, was_not_carried_out
from gptasst.api.types import Endpoint
from gptasst.errors import GptasstError, NotFound, ServiceError
from gptasst.hints import cmd
from gptasst.threads import cached_property

if TYPE_CHECKING:
    import openai

_Made = TypeVar("_Made")

_ATTEMPTS = 6
_LOOK = 0.1  # seconds between checks whether a wait was abandoned
_WHAT_IS_THERE = {
    "file": f"{cmd('file list')} shows what is there",
    "vector store": f"{cmd('assistant list')} shows what is there",
    "conversation": f"{cmd('conversation list')} shows those that this machine knows",
    "batch": f"{cmd('batch list')} shows what is there",
}
# How often to start reading a list again that keeps changing.
_READINGS = 5
# Objects on a page that is not the last one, unless fewer are asked for: servers send up to 100.
_FULL_PAGE = 100
# The same of a server that is not told how many, or ignores it.
_USUAL_PAGE = 20


class Missing(NamedTuple):
    """The object that a request is about, for the error if the server does not have it."""

    kind: str
    text: str

    def within(self, what: str) -> Missing:
        """The same, if the missing object may also be one inside it: ``file `file-1` in``."""
        return Missing(self.kind, f"{what} {self.text}")


def missing(kind: str, ident: str) -> Missing:
    return Missing(kind, f"{kind} `{ident}`")


def api_path(*parts: str) -> str:
    """The URL path of an object, with typed ids escaped: `/vector_stores/vs_1`."""
    return "".join("/" + quote(part, safe="").replace(".", "%2E") for part in parts)


class Connection:
    """Speaks to one endpoint; may be used from any number of threads.

    Reads and runs don't use the SDK, because importing it takes longer than the rest of a command.
    The SDK creates, changes and deletes objects on the server. `client` retries requests that are
    safe to repeat; `once` sends a request a single time, waits longer, and is for creates.

    Args:
        endpoint: the server.
        retries: without it, each request is sent once.
    """

    def __init__(self, endpoint: Endpoint, *, retries: bool = True) -> None:
        self.endpoint = endpoint
        self.attempts = ATTEMPTS if retries else 1
        self.base_url = base_url_of(endpoint)
        self._attempts = Attempts(self.base_url, endpoint.on_moved)
        self._http = make_client(endpoint, self._attempts)
        self._limits = patience(endpoint.silence, endpoint.timeout, attempts=self.attempts)
        self._stopping = threading.Event()

    @cached_property
    def client(self) -> openai.OpenAI:
        """The SDK."""
        return make_sdk(
            self.endpoint, make_http_client(self.endpoint, self._attempts), self._limits
        )

    @cached_property
    def once(self) -> openai.OpenAI:
        return self.client.with_options(timeout=patience(self.endpoint.timeout).for_sdk())

    def close(self) -> None:
        """Wake every thread that waits for a retry, and close all connections."""
        self._stopping.set()
        self._attempts.connections.close()

    def get(
        self,
        path: str,
        query: Mapping[str, str | int] | None = None,
        limits: Timeouts | None = None,
    ) -> Any:
        """The JSON at a path, with its objects as `Event`. Call it within `errors`.

        Args:
            path: below the base URL, or a whole URL.
            query: parameters.
            limits: how long to wait, and how much to read; see `patience`.
        """
        return read_json(self.send("GET", path, query=query, limits=limits))

    def post(self, path: str, body: Mapping[str, Any], limits: Timeouts | None = None) -> Any:
        """POST a request; see `get`."""
        return read_json(self.send("POST", path, body=body, limits=limits))

    def send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str | int] | None = None,
        body: Mapping[str, Any] | None = None,
        limits: Timeouts | None = None,
        stream: bool = False,
    ) -> Response:
        """Send a request; the arguments are as in `get`.

        Args:
            method: GET, POST or DELETE.
            path: below the base URL, or a whole URL.
            query: parameters.
            body: goes out as JSON.
            limits: how long to wait, and how much to read.
            stream: don't read the body; the caller reads and closes the response.

        Raises:
            RequestFailure: the server refused it, or there was no response.
        """
        url = path if "://" in path else self.base_url + path
        limits = limits or self._limits
        return self._http.ask(method, url, query=query, body=body, limits=limits, stream=stream)

    @contextlib.contextmanager
    def errors(self, missing: Missing | None = None) -> Iterator[None]:
        """Translate errors of requests and of reading their responses.

        Args:
            missing: the object that an unknown id means.

        Raises:
            NotFound: the object is not there (servers answer 404, or 400 in words).
            GptasstError: see `errors`.
        """
        try:
            with reading(self.endpoint):
                yield
        except StatusFailure as error:
            if missing and is_missing_object(error):
                mask_error(error, self.endpoint)
                message = f"{self.endpoint.name} has no {missing.text}"
                hint = _WHAT_IS_THERE.get(missing.kind)
                raise NotFound(message, hint=hint, code="gone") from error
            raise translate_error(error, self.endpoint, None) from error
        except RequestFailure as error:
            raise translate_error(error, self.endpoint, None) from error

    def listed(
        self,
        path: str,
        make: Callable[[Any], _Made],
        query: Mapping[str, str | int] | None = None,
        missing: Missing | None = None,
        limits: Timeouts | None = None,
    ) -> Iterator[_Made]:
        """Every object of a list, each once, even if the list changes while it is read.

        A server may refuse to continue after an object that was deleted in the meantime, or give
        its first page instead. Then the list is read again from the start.

        Args:
            path: of the list.
            make: converts an object.
            query: parameters; without a `limit`, a list without `has_more` is taken to be complete.
            missing: as in `errors`.
            limits: for each request.

        Raises:
            ServiceError: the server gives the first page again and again, or an empty one that is
                not the last (`incomplete_list`). Who takes that for the end deletes what is used by
                an object behind it.
        """
        seen: set[str] = set()
        query = query or {}
        for number in range(_READINGS):
            known = len(seen)
            try:
                with self.errors(missing):
                    pages = self._pages(path, query, limits)
                    limit = int(query.get("limit", _FULL_PAGE))
                    yield from map(make, self._unseen(pages, seen, limit))
            except (NotFound, ServiceError) as error:
                moved = bool(seen) and error.code in ("gone", "bad_request", "incomplete_list")
                stuck = error.code == "incomplete_list" and len(seen) == known
                if not moved or stuck or number == _READINGS - 1:
                    raise
            else:
                return

    def _unseen(self, pages: Iterator[Any], seen: set[str], limit: int) -> Iterator[Any]:
        """The objects of all pages, without those seen before; `limit` is how many a page has.

        After a short page, a server only does not know that it was the last.

        Raises:
            TypeError: a page is not a list.
            OverLimit: the list does not end.
            ServiceError: a full page comes again, or nothing after it (`incomplete_list`).
        """
        read: set[str] = set()
        before = 0  # objects on the page before
        for page in pages:
            listed = _data_of(page)
            ids = {found["id"] for found in listed}
            if ids and ids <= read:
                if len(ids) < min(limit, _FULL_PAGE) and len(ids) != _USUAL_PAGE:
                    return
                raise self._incomplete(f"the same {len(ids):,} objects again")
            if not ids and page.has_more is True and not page.last_id and before >= limit:
                raise self._incomplete("an empty page")
            before = len(ids)
            read |= ids
            if len(read) > MAX_ITEMS:
                raise too_much(f"more than {MAX_ITEMS:,} objects in one list")
            for found in listed:
                if found["id"] not in seen:
                    seen.add(found["id"])
                    yield found

    def _incomplete(self, sent: str) -> ServiceError:
        message = f"{self.endpoint.name} does not send the rest of a list, but {sent}"
        return ServiceError(message, code="incomplete_list")

    def _pages(
        self, path: str, query: Mapping[str, str | int], limits: Timeouts | None
    ) -> Iterator[Any]:
        """The pages of a list, all of them within the time limit of one operation."""
        left = self.endpoint.timeout
        followed: set[str] = set()
        after: dict[str, str] = {}
        while True:
            asked = time.monotonic()
            page = self.get(path, {**query, **after}, limits)
            page = Event(data=page) if isinstance(page, list) else page  # a list without pages
            left -= time.monotonic() - asked
            yield page
            last = _last_of(page, may_go_on="limit" in query)
            if last is None or last in followed:
                return
            followed.add(last)
            after = {"after": last}
            if left <= 0:
                raise too_slow("sent no whole list", self.endpoint.timeout)

    def masked(self, text: str) -> str:
        """A server's message with the endpoint's secrets masked."""
        return masked(text, self.endpoint)

    def create_once(
        self,
        send: Callable[[], _Made],
        find: Callable[[], _Made | None] | None,
        missing: Missing | None = None,
        given_up: Callable[[], bool] = lambda: False,
    ) -> _Made:
        """Send a create request that takes effect once, even if its response is lost.

        After a 429 nothing was created, so the request is sent again. After a lost connection, a
        timeout or a server error that is unknown, so `find` looks for the object, also after the
        last attempt. Attempts end when the endpoint's `timeout` is used up.

        Args:
            send: sends the request with `once`.
            find: returns the created object, if the server has it. Without it (`None`), the request
                is sent at most twice.
            missing: as in `errors`.
            given_up: whether the object is no longer needed; then the request is not sent again.
        """
        end = time.monotonic() + self.endpoint.timeout
        doubts = 0
        for attempt in range(_ATTEMPTS):
            try:
                with self.errors(missing):
                    return send()
            except GptasstError as error:
                cause = error.__cause__
                wait = wait_before_retry(cause, attempt)
                if wait is None:
                    raise
                refused = was_not_carried_out(cause)
                doubts += not refused
                last = attempt == _ATTEMPTS - 1 or time.monotonic() + wait >= end
                last = last or (find is None and doubts > 1)
                if (last and refused) or self._is_over(0 if last else wait, given_up):
                    raise
                found = None if refused or find is None else find()
                if found is not None:
                    return found
                if last:
                    raise
        raise AssertionError  # the last attempt returns or raises

    def _is_over(self, seconds: float, given_up: Callable[[], bool]) -> bool:
        """Wait; return whether the wait was abandoned or the connection closed."""
        end = time.monotonic() + seconds
        while not given_up() and not self._stopping.is_set():
            left = end - time.monotonic()
            if left <= 0:
                return False
            self._stopping.wait(min(left, _LOOK))
        return True

    def pause(self, seconds: float) -> None:
        """Wait, until the time is over or the connection is closed."""
        self._stopping.wait(seconds)


def read_json(response: Response) -> Any:
    """The JSON of a response, with its objects as `Event`.

    Raises:
        ValueError: it is not JSON.
    """
    return json.loads(response.content, object_hook=Event)


def _last_of(page: Any, *, may_go_on: bool) -> str | None:
    """The id after which a list continues; `None` at its end.

    Servers that filter pages may send empty ones, which have a `last_id`.
    """
    more = page.has_more
    if more is False or (more is None and not may_go_on):
        return None
    found = _data_of(page)
    last = found[-1]["id"] if found else page.last_id if more else None
    return last if isinstance(last, str) else None


def _data_of(page: Any) -> list[Any]:
    """The objects of a page, without what is none; servers in Go send null for an empty list.

    Raises:
        TypeError: it is not a list, or has no object.
    """
    if "data" in page and page.data is None:
        return []
    if not isinstance(page.data, list):
        raise TypeError
    found = [each for each in page.data if isinstance(each, Event) and isinstance(each.id, str)]
    if page.data and not found:
        raise TypeError
    return found
