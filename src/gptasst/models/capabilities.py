"""Which tools a server has: learned once, remembered, and asked for before a run needs them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from gptasst.api.tools import documented
from gptasst.api.types import Capability
from gptasst.config.profile import Profile
from gptasst.errors import AccessDenied, GptasstError

# A server may be upgraded; then it is asked again.
REMEMBERED_SECONDS = 7 * 86_400.0
_ASKED = "asked"  # remembered of a server that was asked, whatever it told


class Probes(Protocol):
    """Looks at a server without running anything; `ProbeGateway` is one."""

    def tools(self) -> Mapping[Capability, bool]: ...
    def takes_batches_of_responses(self) -> bool: ...


class CapabilityMemory(Protocol):
    """What is remembered of a server; `ProjectCache` is one."""

    def capabilities(self, seconds: float) -> Mapping[str, bool]: ...
    def remember_capabilities(self, found: Mapping[str, bool]) -> None: ...


class EndpointCapabilities:
    """What one profile's server has.

    Args:
        profile: the endpoint.
        open_probes: makes the connection; called when the server has to be asked.
        open_memory: opens what is remembered.
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
        """Those that the server is known not to have.

        Args:
            wanted: the tools that a run needs.
            ask: the server may be asked where nothing is remembered.
        """
        names = list(wanted)
        if not names:
            return []
        known = documented(self._profile.base_url or "")
        if all(name in known for name in names):
            return []
        found = {**_by_name(known), **self._remembered()}
        if ask and _ASKED not in found and any(name not in found for name in names):
            with contextlib.suppress(GptasstError):  # the run itself tells what is wrong
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
            except GptasstError:  # the batch itself tells what is wrong
                return True
            self.learn({"batches": found})
        return found

    def learn(self, found: Mapping[Capability, bool | None]) -> None:
        """Remember what an answer or a refusal showed."""
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
    """What is certain, as it is kept."""
    return {str(name): there for name, there in found.items() if there is not None}
