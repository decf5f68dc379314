"""Estimate the usage and cost of a run, count it, and keep to a budget."""

from __future__ import annotations

import contextlib
import json
import math
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace

from gptasst.api.types import ModelAnswer, ModelRequest, TextDelta, TextPart, Usage
from gptasst.errors import GptasstError, NoAnswer
from gptasst.models.prices import NO_PRICES, WINDOWS, Estimate, Prices, Window, total
from gptasst.models.usage import Kind, Recorder, UsedNow
from gptasst.runs.edits import EditPlan
from gptasst.runs.inputs import Gateway
from gptasst.runs.preparation import PreparedRun
from gptasst.values import dataclass

# Tokens of an answer that is not an edit, without earlier runs of the same name.
_USUAL_ANSWER = 500
# Tokens around each message, and around a file.
_AROUND = 4
_BETWEEN_BLOCKS = re.compile(r"\n\s*\n")

Stream = Callable[[ModelRequest], Iterator[TextDelta | ModelAnswer]]
Typical = Callable[[str, str], tuple[int, int, int] | None]


@dataclass(frozen=True, slots=True)
class Spending:
    """Estimates and counts the runs of one profile.

    Args:
        prices: the prices of models.
        record: records the usage of a run.
        typical: the usage of earlier runs, see `UsageJournal.typical`.
        profile: the profile's name.
        kind: the origin of runs.
    """

    prices: Prices = NO_PRICES
    record: Recorder = lambda _: None
    typical: Typical = lambda _name, _model: None
    profile: str = ""
    kind: Kind = "run"

    def estimate(self, prepared: PreparedRun, window: Window = "now") -> Estimate:
        """The estimate of a run.

        An edit is about as long as its input. Other answers are as long as earlier ones of the same
        name and model, at first 500 tokens.

        Args:
            prepared: the run.
            window: the requested window.
        """
        from gptasst.models.tokens import counter, is_exact

        request, count = prepared.model_request, counter()
        given = sum(count(text) + _AROUND for text in _texts(request))
        earlier = self.typical(prepared.request.name, request.model)
        made, most, requests = _USUAL_ANSWER, request.settings.max_output_tokens, 1
        if prepared.edit is not None:
            made = sum(count(each.text) for each in prepared.edit.inputs)
            requests = max(_pieces(prepared.edit), 1)
            given += (requests - 1) * count(request.instructions)
            if earlier is not None:
                made = max(made, round(given * earlier[2] / earlier[1]))
        else:
            made = made if earlier is None else round(earlier[2] / earlier[0])
            made = made if most is None else min(made, most)
        cost = self._cost(request.model, given, made, requests, window)
        return Estimate(request.model, given, made, cost, is_exact(), requests)

    def choices(self, estimate: Estimate) -> dict[str, float]:
        """The cost of an estimate in US dollars, for each window with a price."""
        windows = WINDOWS if self.prices.built_in else WINDOWS[:1]
        tokens = estimate.input_tokens, estimate.output_tokens
        costs = {w: self._cost(estimate.model, *tokens, estimate.requests, w) for w in windows}
        return {window: cost for window, cost in costs.items() if cost is not None}

    def _cost(
        self, model: str, given: int, made: int, requests: int, window: Window
    ) -> float | None:
        """The cost of tokens that are sent in requests of equal size: long ones cost more."""
        usage = Usage(math.ceil(given / requests), math.ceil(made / requests))
        cost = self.prices.cost(usage, model, window=window)
        return None if cost is None else cost * requests

    def meter(self, open_gateway: Callable[[], Gateway], prepared: PreparedRun) -> Meter:
        """The meter of a run; if its estimate leaves a doubt, the server counts the input.

        Args:
            open_gateway: opens the connection.
            prepared: the run.
        """
        budget = prepared.request.budget
        estimated = None if budget is None else self.estimate(prepared)
        if budget and estimated and not estimated.exact and budget.leaves_doubt(estimated):
            request = prepared.model_request
            given = None if prepared.edit else open_gateway().count_input(request)
            if given is not None:
                usage = Usage(given, estimated.output_tokens)
                cost = self.prices.cost(usage, estimated.model)
                estimated = replace(estimated, input_tokens=given, cost=cost, exact=True)
        return Meter(self, lambda sent: open_gateway().stream(sent), prepared, estimated)


def _pieces(plan: EditPlan) -> int:
    """The approximate number of requests of an edit, each with the instructions."""
    if plan.settings.unit == "block":
        return sum(len(_BETWEEN_BLOCKS.split(each.text.strip())) for each in plan.inputs)
    texts = [each.text for each in plan.inputs]
    return sum(1 if plan.takes_whole(t) else math.ceil(len(t) / plan.group(t)) for t in texts)


def _texts(request: ModelRequest) -> Iterator[str]:
    """All texts that are sent to the model."""
    yield request.instructions
    for parts in (*(message.parts for message in request.past), request.parts):
        yield from (part.text for part in parts if isinstance(part, TextPart))
    if request.schema is not None:
        yield json.dumps(request.schema)
    for function in request.functions:
        yield function.description + json.dumps(function.parameters, default=dict)


class Meter:
    """Counts the requests of a run, and keeps to its budget.

    Args:
        spending: the profile's spending.
        stream: sends a request.
        prepared: the run.
        estimated: the estimate of the run; only needed with a budget.
    """

    def __init__(
        self, spending: Spending, stream: Stream, prepared: PreparedRun, estimated: Estimate | None
    ) -> None:
        self._spending = spending
        self._send = stream
        self._prepared = prepared
        self._estimated = estimated
        self._budget = prepared.request.budget
        self._lock = threading.Lock()
        self._begun = False
        self._sent = 0
        self._usages: list[Usage] = []
        self._costs: list[float | None] = []

    @property
    def cost(self) -> float | None:
        """The cost so far in US dollars; `None` if a usage or price is unknown."""
        return total(self._costs)

    def stream(self, request: ModelRequest) -> Iterator[TextDelta | ModelAnswer]:
        """Send a request, and count it.

        Raises:
            LimitReached: the limit is reached.
        """
        if self._budget is not None and self._costs and self._budget.reached_with(self.cost):
            raise self._budget.stopped()
        with self._lock:
            self._sent += 1
        try:
            for event in self._send(request):
                if isinstance(event, ModelAnswer):
                    self._count(event.usage, event.model, request.model)
                yield event
        except GptasstError as error:
            # Broken-off answers and timeouts are billed as well.
            if isinstance(error, NoAnswer) or error.code == "timeout":
                usage = error.usage if isinstance(error.usage, Usage) else None
                self._count(usage, request.model)
            raise

    def _count(self, usage: Usage | None, *models: str) -> None:
        with self._lock:
            self._usages.append(usage or Usage(0, 0))
            self._costs.append(self._spending.prices.cost(usage, *models))

    def admit(self) -> None:
        """Raise if a run may exceed its budget.

        Raises:
            LimitReached: it may exceed it.
            UsageError: its price is unknown.
        """
        if self._budget is not None and self._estimated is not None:
            self._budget.admit([self._estimated])

    def begin(self) -> None:
        """Count the run as under way, until `counting` ends."""
        if self._budget is not None and self._estimated is not None and not self._begun:
            self._begun = True
            self._budget.begin(self._estimated)

    @contextlib.contextmanager
    def counting(self) -> Iterator[None]:
        """A context that records the usage at its end, even after an error."""
        self.begin()
        try:
            yield
        except GptasstError as error:
            if isinstance(error, NoAnswer) and len(self._usages) < self._sent:
                # It was refused before its end, which would have told the usage.
                self._count(None, self._prepared.model_request.model)
            if self._usages:
                error.usage, error.cost = sum(self._usages, Usage(0, 0)), self.cost
            raise
        finally:
            if self._begun and self._budget is not None and self._estimated is not None:
                self._budget.end(self._estimated, self.cost)
            if self._usages:
                used = UsedNow(
                    name=self._prepared.request.name,
                    model=self._prepared.model_request.model,
                    profile=self._spending.profile,
                    kind=self._spending.kind,
                    requests=len(self._usages),
                    usage=sum(self._usages, Usage(0, 0)),
                    cost=self.cost,
                )
                self._spending.record(used)
