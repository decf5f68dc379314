"""Trouble at each request of each command that changes something.

What is on the server afterwards is compared with what an undisturbed command leaves.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.assistants.project import writes
from tests.conftest import Cli, Ran
from tests.faults.operations import CHANGING, Operation, prepare
from tests.faults.project_state import (
    Checkpoint,
    held,
    without_leftover,
)
from tests.loopback import LoopbackServer, outcomes

# Every method but GET: how often two look-ups at the same time ask depends on which is first.
CHANGES = "[!G]*"
# A create has made a conversation by then, and no vector store that leads to it.
BEHIND_A_CONVERSATION = ("POST /conversations/*/items", "POST /vector_stores")
WRONG_KEY = outcomes.http_error(401, "invalid_api_key")
# The server has the answer to these, and nobody can ask for it: see below.
IN_CONVERSATION = ("run -c", "chat")
# These delete what they took out of the knowledge, as the last thing.
DETACHING = ("edit -f", "files add", "files remove", "files sync")


@dataclass
class Trial:
    """Commands tried again and again on the same project.

    `spots` are the requests by which a command changes something: how many of them come before
    each, and what it is.
    """

    cli: Cli
    server: LoopbackServer
    home: Path
    operations: dict[str, Operation] = field(init=False)
    _begun: Checkpoint = field(init=False)

    def __post_init__(self) -> None:
        self.operations = prepare(self.cli, self.server)
        self._begun = Checkpoint(self.server, self.home)

    def undisturbed(self, name: str) -> tuple[Any, list[tuple[int, str]]]:
        """What is on the server after a command, and its spots."""
        self._begun.restore()
        ran = self.again(name)
        assert (name, ran.code) == (name, 0)
        return held(self.server), list(enumerate(writes(self.server)))

    def disturbed(self, name: str, disturb: Callable[[LoopbackServer], None]) -> Ran:
        """A command with a disturbance that ends with it."""
        self._begun.restore()
        disturb(self.server)
        ran = self.operations[name].run(self.cli, "--json")
        assert "Traceback" not in ran.stderr
        assert ran.code != 0 or not self.server.disturbances, "the request did not come"
        self.server.disturbances.clear()
        return ran

    def again(self, name: str) -> Ran:
        return self.operations[name].run(self.cli)


def lost(spot: int) -> Callable[[LoopbackServer], None]:
    """This request is carried out and not answered."""
    return lambda server: server.disturb(CHANGES, "*", done=True, skip=spot)


def gone_after(spot: int) -> Callable[[LoopbackServer], None]:
    """This request is carried out and not answered, and nothing goes any more."""
    return lambda server: server.disturb(CHANGES, "*", done=True, skip=spot, for_good=True)


def gone_before(
    spot: int, outcome: outcomes.HttpAnswer | None = None
) -> Callable[[LoopbackServer], None]:
    """Neither this nor any later request is carried out."""
    return lambda server: server.disturb(CHANGES, "*", outcome, skip=spot, for_good=True)


@pytest.fixture
def trial(cli: Cli, project: LoopbackServer, home: Path) -> Trial:
    return Trial(cli, project, home)


class TestAnswerIsLost:
    """The request is carried out, its answer gets lost, and then all is well again."""

    @pytest.mark.parametrize("names", [sorted(CHANGING)[::2], sorted(CHANGING)[1::2]])
    def test_nothing_is_done_twice(
        self, trial: Trial, subtests: pytest.Subtests, names: list[str]
    ) -> None:
        for name in names:
            wanted, spots = trial.undisturbed(name)
            for spot, request in spots:
                with subtests.test(f"{name}: {request}"):
                    ran = trial.disturbed(name, lost(spot))
                    state = held(trial.server)
                    if request == "POST /responses":
                        assert (ran.code, ran.error["code"]) == (1, "answer_lost")
                        assert "gptasst conversation show" in ran.error["hint"]
                    else:
                        assert ran.code == 0
                    if request == "POST /conversations":
                        state = without_leftover(state)
                    assert state == wanted

    def test_the_lost_answer_is_where_the_hint_says(self, trial: Trial) -> None:
        for name in IN_CONVERSATION:
            _, spots = trial.undisturbed(name)
            (spot,) = (spot for spot, request in spots if request == "POST /responses")
            hint = trial.disturbed(name, lost(spot)).error["hint"]
            command = hint.split("`")[1].removeprefix("gptasst ").split()
            said = trial.operations[name].stdin or b"again"
            assert said.decode().strip() in trial.cli(*command).text.split("\n## ")[-1]


class TestConnectionIsGone:
    """The request is carried out, and then nothing goes any more until the command has failed."""

    NAMES = sorted(CHANGING.keys() - {*IN_CONVERSATION, "cancel"})

    @pytest.mark.parametrize("names", [NAMES[::2], NAMES[1::2]])
    def test_the_same_command_finishes_it(
        self, trial: Trial, subtests: pytest.Subtests, names: list[str]
    ) -> None:
        for name in names:
            wanted, spots = trial.undisturbed(name)
            for spot, request in spots:
                with subtests.test(f"{name}: {request}"):
                    ran = trial.disturbed(name, gone_after(spot))
                    assert (ran.code, ran.error["code"]) == (1, "unreachable")
                    ended = trial.again(name).code
                    assert ended in (0, 2, 3)  # or it is there, or gone, already
                    state = held(trial.server)
                    if name == "create" and request.startswith("POST /conversations"):
                        state = without_leftover(state)
                    assert state == wanted

    @pytest.mark.parametrize("name", ["create", "files sync", "delete", "submit"])
    def test_also_where_the_key_is_refused_from_some_moment_on(
        self, trial: Trial, name: str
    ) -> None:
        wanted, spots = trial.undisturbed(name)
        for spot, request in spots:
            ran = trial.disturbed(name, gone_before(spot, WRONG_KEY))
            assert (ran.code, ran.error["code"]) == (4, "wrong_key")
            assert (request, trial.again(name).code) == (request, 0)
            state = held(trial.server)
            if name == "create" and request in BEHIND_A_CONVERSATION:
                state = without_leftover(state)
            assert (request, state) == (request, wanted)


def test_a_conversation_that_could_not_be_deleted_is_listed(trial: Trial) -> None:
    _, spots = trial.undisturbed("chat")
    (spot,) = (spot for spot, request in spots if request == "POST /responses")
    assert trial.disturbed("chat", gone_before(spot)).code == 1
    (newest, *_) = trial.cli("conversation", "list", "-q").lines
    assert trial.server.conversations[newest].items == []
    assert trial.cli("conversation", "delete", newest, "-y").code == 0
    assert newest not in trial.server.conversations
