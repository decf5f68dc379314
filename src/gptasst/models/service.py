"""The models that can be asked for, when they end, and which tools a server has."""

from __future__ import annotations

import contextlib
import shlex
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Protocol

from gptasst.api.capabilities import Capability
from gptasst.api.tools import documented
from gptasst.api.types import (
    ServerModel,
)
from gptasst.config.profile import Profile
from gptasst.config.settings import OPENAI_MODEL
from gptasst.errors import AccessDenied, GptasstError, UsageError
from gptasst.hints import cmd
from gptasst.models.ends import Shutdown, ends_soon
from gptasst.values import dataclass

# Servers are asked again after this time, because they may be upgraded.
REMEMBERED_SECONDS = 7 * 86_400.0
_ASKED = "asked"  # remembered for servers that were asked, whatever the result


_DEFERRED = "deferred runs"


class Probes(Protocol):
    """Finds out what a server supports, without running anything; see `ProbeGateway`."""

    def tools(self) -> Mapping[Capability, bool]: ...
    def takes_batches_of_responses(self) -> bool: ...


class CapabilityMemory(Protocol):
    """Remembers what a server supports; see `ProjectCache`."""

    def capabilities(self, seconds: float) -> Mapping[str, bool]: ...
    def remember_capabilities(self, found: Mapping[str, bool]) -> None: ...


class EndpointCapabilities:
    """The capabilities of a profile's server.

    Args:
        profile: the endpoint.
        open_probes: opens a connection, when the server must be asked.
        open_memory: opens the memory.
    """

    def __init__(
        self,
        profile: Profile,
        open_probes: Callable[[], Probes],
        open_memory: Callable[[], CapabilityMemory],
    ) -> None:
        self._profile = profile
        self._open_probes = open_probes
        self._open_memory = open_memory

    def lacks(self, wanted: Iterable[Capability], *, ask: bool = True) -> list[Capability]:
        """The tools that the server is known to lack.

        Args:
            wanted: the tools that a run needs.
            ask: whether the server may be asked.
        """
        names = list(wanted)
        if not names:
            return []
        known = documented(self._profile.base_url or "")
        if all(name in known for name in names):
            return []
        found = {**_by_name(known), **self._remembered()}
        if ask and _ASKED not in found and any(name not in found for name in names):
            with contextlib.suppress(GptasstError):  # the run itself reports the error
                learned = {**_by_name(self._open_probes().tools()), _ASKED: True}
                self._open_memory().remember_capabilities(learned)
                found.update(learned)
        return [name for name in names if found.get(name) is False]

    def is_known(self, tool: Capability) -> bool:
        """Whether the server documents or showed that it has a tool."""
        return tool in documented(self._profile.base_url or "") or bool(
            self._remembered().get(tool)
        )

    def takes_batches(self) -> bool:
        """Whether the server is not known to refuse batches of responses.

        Raises:
            AccessDenied: the key has no permission for batches.
        """
        found = self._remembered().get("batches")
        if found is None:
            try:
                found = self._open_probes().takes_batches_of_responses()
            except AccessDenied:
                raise
            except GptasstError:  # the batch itself reports the error
                return True
            self.learn({"batches": found})
        return found

    def takes_deferred(self) -> bool:
        """Whether the server is not known to lack deferred runs; it is not asked."""
        return self._remembered().get(_DEFERRED) is not False

    def lacks_deferred(self) -> None:
        """Remember that the server answered at once where it should have deferred a run."""
        if not documented(self._profile.base_url or ""):
            self._open_memory().remember_capabilities({_DEFERRED: False})

    def learn(self, found: Mapping[Capability, bool | None]) -> None:
        """Remember the capabilities that an answer or a refusal showed."""
        certain = _by_name(found)
        if not certain or documented(self._profile.base_url or ""):
            return
        remembered = self._remembered()
        new = {name: there for name, there in certain.items() if remembered.get(name) != there}
        if new:
            self._open_memory().remember_capabilities(new)

    def _remembered(self) -> Mapping[str, bool]:
        return self._open_memory().capabilities(REMEMBERED_SECONDS)


def _by_name(
    found: Mapping[Capability, bool] | Mapping[Capability, bool | None],
) -> dict[str, bool]:
    """The certain capabilities, in their stored form."""
    return {str(name): there for name, there in found.items() if there is not None}


class ModelSource(Protocol):
    """Lists models; see `api.models.ModelGateway`."""

    def list(self) -> Sequence[ServerModel]: ...


class EmbeddedModels:
    """The embedded model."""

    def __init__(self, name: str) -> None:
        self._name = name

    def list(self) -> Sequence[ServerModel]:
        return [ServerModel(self._name, "embedded", None)]


@dataclass(frozen=True, slots=True)
class ListedModel:
    """A line of `model list`. `successor` is the replacement, if known."""

    id: str
    owner: str
    created_at: datetime | None
    shutdown_date: date | None
    ends_soon: bool
    successor: str | None


class ModelService:
    """Lists an endpoint's models.

    Args:
        open_source: opens a connection, when it is needed.
        known_end: returns the known shutdown of a model.
        remember: called with the names of all listed models, and the server's shutdown dates.
    """

    def __init__(
        self,
        open_source: Callable[[], ModelSource],
        known_end: Callable[[str], Shutdown | None],
        remember: Callable[[Sequence[tuple[str, date | None]]], None] = lambda _: None,
    ) -> None:
        self._open_source = open_source
        self._known_end = known_end
        self._remember = remember

    def list(self) -> Sequence[ListedModel]:
        """Every model of the endpoint, with its own dates, or else those of our catalog."""
        today = datetime.now(UTC).date()
        models = self._open_source().list()
        self._remember([(model.id, model.shutdown_date) for model in models])
        return [_listed(model, self._known_end(model.id), today) for model in models]


def _listed(model: ServerModel, known: Shutdown | None, today: date) -> ListedModel:
    end = model.shutdown_date or (known.date if known else None)
    return ListedModel(
        id=model.id,
        owner=model.owner,
        created_at=model.created_at,
        shutdown_date=end,
        ends_soon=bool(end and ends_soon(end, today)),
        successor=known.successor if known else None,
    )


_SHOWN = 10

# A server without a list may still have models.
_NO_LIST = ("no_endpoint", "not_an_api", "bad_request", "no_permission")


class ModelMemory(Protocol):
    """Remembers a server's models; see the file-ID cache."""

    def models(self) -> Sequence[str]: ...
    def remember_models(self, models: Sequence[tuple[str, date | None]]) -> None: ...


class ModelChoice:
    """Chooses the default model of a profile. The server is asked once.

    Args:
        profile: the endpoint, which sets no model.
        open_source: opens a connection, when the server must be asked.
        open_memory: opens the memory.
        note: called once with the choice.
        url_variable: the variable that names the server in place of the profile, if there is one.
    """

    def __init__(
        self,
        profile: Profile,
        open_source: Callable[[], ModelSource],
        open_memory: Callable[[], ModelMemory],
        note: Callable[[str], None],
        url_variable: str | None = None,
    ) -> None:
        self._profile = profile
        self._open_source = open_source
        self._open_memory = open_memory
        self._note = note
        self._url_variable = url_variable
        self._chosen: str | None = None
        self._has_list = True
        self._lock = threading.Lock()  # many cases may ask at once; the note is printed once

    def choose(self, *, ask: bool) -> str:
        """The default model if the server has it, or else its only model.

        Args:
            ask: whether the server may be asked.

        Raises:
            UsageError: there is no such model.
            GptasstError: the server can't be asked.
        """
        with self._lock:
            return self._choose(ask=ask)

    def _choose(self, *, ask: bool) -> str:
        if self._chosen is None:
            self._chosen = only_model(self._open_memory().models())
        if self._chosen is None:
            listed = self._listed() if ask else ()
            self._chosen = only_model(listed)
            if self._chosen is None:
                raise self._none_named(listed)
            why = "the default" if self._chosen == OPENAI_MODEL else "its only model"
            self._note(
                f"no model is set for {self._profile.endpoint}: using {why}, `{self._chosen}`;"
                f" {self._setting(self._chosen)} sets it"
            )
        return self._chosen

    def forget(self) -> None:
        """Forget the choice, because the server no longer has the model."""
        if self._chosen is not None:
            self._chosen = None
            self._open_memory().remember_models(())

    def _listed(self) -> Sequence[str]:
        try:
            models = self._open_source().list()
        except GptasstError as error:
            if error.code in _NO_LIST:
                self._has_list = error.code not in ("no_endpoint", "not_an_api")
                return ()
            if error.code != "service_error":
                raise
            # `transformers serve` fails to list where it was started with a directory.
            raise UsageError(
                f"no model is set for {self._profile.endpoint}, and it can't list its models:"
                f" {error.message}",
                hint=self._without_list(),
                code="no_model",
            ) from error
        self._open_memory().remember_models([(model.id, model.shutdown_date) for model in models])
        return [model.id for model in models]

    def _none_named(self, listed: Sequence[str]) -> UsageError:
        said = f"no model is set for {self._profile.endpoint}"
        if not listed:
            hint = self._without_list()
            if not self._has_list:
                hint += "; is the base URL right? it usually ends in /v1"
            return UsageError(f"{said}, and it lists none", hint=hint, code="no_model")
        names = ", ".join(f"`{name}`" for name in listed[:_SHOWN])
        more = f" and {len(listed) - _SHOWN} more" if len(listed) > _SHOWN else ""
        return UsageError(
            f"{said}, which has {names}{more}",
            hint=f"choose one with -m MODEL; {self._setting(listed[0])} keeps one",
            code="no_model",
        )

    def _without_list(self) -> str:
        if self._url_variable:
            return "-m MODEL, or `export GPTASST_MODEL=MODEL`"
        return f"-m MODEL, or `model` in [profiles.{self._profile.name}] of config.toml"

    def _setting(self, model: str) -> str:
        if self._url_variable:  # config.toml describes another server
            return f"`export GPTASST_MODEL={shlex.quote(model)}`"
        key = shlex.quote(f"profiles.{self._profile.name}.model")
        return cmd(f"config set {key} {shlex.quote(model)}")


def only_model(names: Sequence[str]) -> str | None:
    """The model if none is set: the default, or the only one.

    Models for embeddings, which servers on this machine often list beside it, don't count.
    """
    if OPENAI_MODEL in names:
        return OPENAI_MODEL
    answering = [name for name in names if "embed" not in name.lower()]
    return answering[0] if len(answering) == 1 else None
