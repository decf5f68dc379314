"""One endpoint's connection: calls with errors translated, and creates that happen once."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, NamedTuple, TypeVar

import openai

from gptasst.api.errors import mask_error, masked, translate_error
from gptasst.api.limits import MAX_ITEMS, patience, too_much, too_slow
from gptasst.api.reading import reading
from gptasst.api.refusals import is_missing_object
from gptasst.api.requests import make_client
from gptasst.api.retries import wait_before_retry, was_not_carried_out
from gptasst.api.types import Endpoint
from gptasst.errors import GptasstError, NotFound, ServiceError
from gptasst.hints import cmd

_Made = TypeVar("_Made")

_ATTEMPTS = 6
_LOOK = 0.1  # seconds between looks whether something was given up
_WHAT_IS_THERE = {
    "file": f"{cmd('file list')} shows what is there",
    "vector store": f"{cmd('assistant list')} shows what is there",
    "conversation": f"{cmd('conversation list')} shows those that this machine knows",
    "batch": f"{cmd('batch list')} shows what is there",
}
# How often a list is read from its beginning that keeps changing.
_READINGS = 5


class Missing(NamedTuple):
    """An object that a request is about, for the error where the server does not have it."""

    kind: str
    text: str

    def within(self, what: str) -> Missing:
        """The same where it may as well be something in it: ``file `file-1` in``."""
        return Missing(self.kind, f"{what} {self.text}")


def missing(kind: str, ident: str) -> Missing:
    return Missing(kind, f"{kind} `{ident}`")


class Connection:
    """Speaks to one endpoint; may be used from any number of threads.

    `client` retries by itself and is for requests that may be carried out twice; `once` sends
    a request one time, waits longer, and is for creates.

    Args:
        endpoint: the server.
        retries: without it, `client` sends each request one time as well.
    """

    def __init__(self, endpoint: Endpoint, *, retries: bool = True) -> None:
        self.endpoint = endpoint
        client = make_client(endpoint)
        self.client = client if retries else client.with_options(max_retries=0)
        self.once = client.with_options(max_retries=0, timeout=patience(endpoint.timeout))
        self._stopping = threading.Event()

    def close(self) -> None:
        """Wake whatever waits for a retry, and close all connections."""
        self._stopping.set()
        self.client.close()

    @contextlib.contextmanager
    def errors(self, missing: Missing | None = None) -> Iterator[None]:
        """Translate the SDK's errors, and those of reading what came.

        Args:
            missing: what is not there where the server does not know an id.

        Raises:
            NotFound: the object is not there (servers answer 404, or 400 in words).
            GptasstError: see `errors`.
        """
        try:
            with reading(self.endpoint):
                yield
        except openai.APIStatusError as error:
            if missing and is_missing_object(error):
                mask_error(error, self.endpoint)
                message = f"{self.endpoint.name} has no {missing.text}"
                hint = _WHAT_IS_THERE.get(missing.kind)
                raise NotFound(message, hint=hint, code="gone") from error
            raise translate_error(error, self.endpoint, None) from error
        except openai.OpenAIError as error:
            raise translate_error(error, self.endpoint, None) from error

    def listed(
        self,
        first_page: Callable[[], Any],
        make: Callable[[Any], _Made],
        missing: Missing | None = None,
    ) -> Iterator[_Made]:
        """Every object of a list, each once, also where the list changes while it is read.

        A server may refuse to go on behind an object that was deleted meanwhile. Then the list is
        read again from its beginning.

        Args:
            first_page: asks for it.
            make: makes what is wanted of an object.
            missing: as in `errors`.
        """
        seen: set[str] = set()
        for number in range(_READINGS):
            try:
                with self.errors(missing):
                    yield from map(make, _unseen(self._pages(first_page), seen))
            except (NotFound, ServiceError) as error:
                moved = bool(seen) and error.code in ("gone", "bad_request")
                if not moved or number == _READINGS - 1:
                    raise
            else:
                return

    def _pages(self, first_page: Callable[[], Any]) -> Iterator[Any]:
        """The pages of a list; waiting for them takes no longer than one thing may take."""
        left, pages = self.endpoint.timeout, None
        followed: set[str] = set()
        while True:
            asked = time.monotonic()
            pages = pages or first_page().iter_pages()
            page = next(pages, None)
            left -= time.monotonic() - asked
            if page is None:
                return
            empty = not page.data
            yield page
            if empty and not _go_on(page, followed):
                return
            if left <= 0:
                raise too_slow("sent no whole list", self.endpoint.timeout)

    def masked(self, text: str) -> str:
        """A server's words without what is secret of the endpoint."""
        return masked(text, self.endpoint)

    def create_once(
        self,
        send: Callable[[], _Made],
        find: Callable[[], _Made | None] | None,
        missing: Missing | None = None,
        given_up: Callable[[], bool] = lambda: False,
    ) -> _Made:
        """Send a create so that it takes effect once, whatever happens to its answer.

        A 429 was not carried out and is sent again. After a lost connection, a time-out or a
        server error nobody knows, so `find` looks for what was made, also after the last attempt.
        The last one is that which uses up the endpoint's `timeout`.

        Args:
            send: makes the request with `once`.
            find: what `send` made, if the server has it. Where that can't be found out (`None`), it
                is sent no more than twice.
            missing: as in `errors`.
            given_up: whether nobody needs it any more; then it is not sent again.
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
        """Wait, and tell whether it was given up or the connection closed meanwhile."""
        end = time.monotonic() + seconds
        while not given_up() and not self._stopping.is_set():
            left = end - time.monotonic()
            if left <= 0:
                return False
            self._stopping.wait(min(left, _LOOK))
        return True

    def pause(self, seconds: float) -> None:
        """Wait, unless the connection is closed meanwhile."""
        self._stopping.wait(seconds)


def _go_on(page: Any, followed: set[str]) -> bool:
    """Whether there is more behind an empty page, as servers have it that filter pages.

    The SDK goes on behind the last object of a page, so that it is given one.
    """
    last = getattr(page, "last_id", None)
    if not getattr(page, "has_more", False) or not isinstance(last, str) or last in followed:
        return False
    followed.add(last)
    page.data = [SimpleNamespace(id=last)]
    return True


def _unseen(pages: Iterator[Any], seen: set[str]) -> Iterator[Any]:
    """The objects of all pages that were not seen yet.

    Raises:
        TypeError: it is no list.
        OverLimit: it does not end.
    """
    read: set[str] = set()
    for page in pages:
        if not isinstance(page.data, list):
            raise TypeError
        ids = {found.id for found in page.data}
        if ids and ids <= read:  # a server that gives one page for ever
            return
        read |= ids
        if len(read) > MAX_ITEMS:
            raise too_much(f"more than {MAX_ITEMS:,} objects in one list")
        for found in page.data:
            if found.id not in seen:
                seen.add(found.id)
                yield found
