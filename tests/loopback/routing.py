"""From a request to its reply."""

from __future__ import annotations

import contextlib
import re
import sys
import traceback
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import cached_property

from .wire import ApiError, Call, ConnectionCut, Reply
from .world import Disturbance, World


@dataclass(frozen=True)
class Route:
    """A method and a path such as /v1/files/{id}; `locked` routes run one at a time."""

    method: str
    path: str
    run: Callable[[World, Call], Reply]
    locked: bool = True

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", self.path))


class Application:
    """Replies to requests; `admin` routes are neither logged, delayed nor kept behind the key."""

    def __init__(self, world: World, routes: Iterable[Route], admin: Iterable[Route]) -> None:
        self._world = world
        self._routes = tuple(routes)
        self._admin = tuple(admin)

    def reply(self, call: Call) -> Reply:
        """The reply, whatever happens.

        Raises:
            ConnectionCut: there is to be none.
        """
        try:
            if call.record.path.startswith("/_"):
                return self._run(self._admin, call)
            return self._public(call)
        except ApiError as error:
            return error.reply()
        except ConnectionCut:
            raise
        except Exception:  # noqa: BLE001 - a mistake in here must not look like a lost connection
            self.note_crash()
            return ApiError(500, "the loopback server crashed", type="server_error").reply()

    def note_crash(self) -> None:
        """Keep the traceback of the exception that is being handled."""
        self._world.crashes.append(traceback.format_exc())

    def _public(self, call: Call) -> Reply:
        with self._world.lock:
            self._world.requests.append(call.record)
            disturbance = self._next_disturbance(call)
        if self._world.latency > 0:
            call.line.wait(self._world.latency)
        if disturbance and disturbance.before:
            disturbance.before()
            disturbance = None
        if disturbance and not disturbance.done:
            return _disturbed(disturbance)
        if disturbance:
            with contextlib.suppress(ApiError):
                _carry_out(self._checked(call))
            return _disturbed(disturbance)
        return self._checked(call)

    def _checked(self, call: Call) -> Reply:
        self._check_key(call)
        return self._run(self._routes, call)

    def _next_disturbance(self, call: Call) -> Disturbance | None:
        for found in self._world.disturbances:
            if not _concerns(found, call):
                continue
            if found.skip > 0:
                found.skip -= 1
                continue
            found.times -= 1
            if found.times <= 0:
                self._world.disturbances.remove(found)
            if found.for_good:
                self._world.disturb("*", "*", found.outcome, times=sys.maxsize)
            return found
        return None

    def _check_key(self, call: Call) -> None:
        key = self._world.api_key
        if key is None or call.record.headers.get("authorization") == f"Bearer {key}":
            return
        raise ApiError(401, "Incorrect API key provided.", code="invalid_api_key")

    def _run(self, routes: tuple[Route, ...], call: Call) -> Reply:
        method, path = call.record.method, call.record.path
        for route in routes:
            match = route.pattern.fullmatch(path) if route.method == method else None
            if match:
                with self._world.lock if route.locked else contextlib.nullcontext():
                    return route.run(self._world, replace(call, params=match.groupdict()))
        raise ApiError(404, f"Invalid URL ({method} {path})")


def _concerns(disturbance: Disturbance, call: Call) -> bool:
    method, path = call.record.method, call.record.path
    return fnmatchcase(method, disturbance.method) and fnmatchcase(path, disturbance.path)


def _carry_out(reply: Reply) -> None:
    """Do what a streamed reply does while it is sent."""
    if not isinstance(reply.body, bytes):
        deque(reply.body, maxlen=0)


def _disturbed(disturbance: Disturbance) -> Reply:
    if disturbance.outcome is None:
        raise ConnectionCut
    return disturbance.outcome.reply
