"""Prices of models and costs of runs. All prices are in US dollars per million tokens.

Sources, as of 2026-11-29. OpenAI's own pages (developers.openai.com/api/docs/models, the pages of
gpt-6.2-sol and gpt-6-luna, and guides/background): the models listed there, the surcharge for long
requests, the price of cache writes, and the discounts of batches and background runs. For earlier
models, tables that cite OpenAI's pricing page: release notes of LiteLLM (September 2026), GitHub's
table for Copilot, and the crates adk-model and openai-models.
"""

from __future__ import annotations

import math
import re
import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from gptasst.api.types import Usage
from gptasst.errors import LimitReached, UsageError
from gptasst.hints import cmd
from gptasst.values import dataclass

# When an answer arrives: now, or later at a discount.
Window = Literal["now", "2h", "8h", "24h"]
WINDOWS: tuple[Window, ...] = ("now", "2h", "8h", "24h")
_PAID: Mapping[Window, float] = {"now": 1.0, "2h": 0.7, "8h": 0.6, "24h": 0.5}

# A request with more input than this has a higher price, from GPT-5.6 on.
LONG_TOKENS = 272_000
_LONG_INPUT, _LONG_OUTPUT = 2.0, 1.5
# A dated version has the price of its model.
_DATED = re.compile(r"-\d{4}-\d\d-\d\d$")
_MILLION = 1_000_000
_DOUBT = 0.15  # error of a token estimate
_NOTHING = 1e-12  # what adding and subtracting may leave of the cost of runs under way
_MOST = 1e9  # US dollars of a budget
_DIGITS = 10  # decimal places of a cost: one token of the cheapest cache needs eight


@dataclass(frozen=True, slots=True)
class Price:
    """The price of a model, in US dollars per million tokens.

    If `cached` or `cache_write` is unknown, these tokens count as `input`: they cost at most that,
    or 1.25 times as much with `is_long_dearer`, as from GPT-5.6 on. `is_long_dearer` also means
    that requests of more than 272,000 tokens have other prices.
    """

    input: float
    output: float
    cached: float | None = None
    cache_write: float | None = None
    is_long_dearer: bool = False

    def cost(self, usage: Usage) -> float:
        """The cost of one request in US dollars."""
        long = self.is_long_dearer and usage.input > LONG_TOKENS
        cached = self.input if self.cached is None else self.cached
        written = self.input if self.cache_write is None else self.cache_write
        plain = max(usage.input - usage.cached - usage.written, 0)
        given = plain * self.input + usage.cached * cached + usage.written * written
        made = usage.output * self.output
        if long:
            given, made = given * _LONG_INPUT, made * _LONG_OUTPUT
        return (given + made) / _MILLION


def _new(given: float, cached: float | None, made: float) -> Price:
    """A model from GPT-5.6 on, with cache writes at 1.25 times the price of input."""
    return Price(given, made, cached, 1.25 * given, is_long_dearer=True)


def _old(given: float, cached: float | None, made: float) -> Price:
    """An earlier model, with free cache writes."""
    return Price(given, made, cached, given)


OPENAI_PRICES: Mapping[str, Price] = {
    "gpt-6.2-astra": _new(8, 0.4, 40),
    "gpt-6.2-sol": _new(2, 0.1, 10),
    "gpt-6.1-sol": _new(2, 0.1, 10),
    "gpt-6.1-terra": _new(1, None, 5),
    "gpt-6-astra": _new(10, 1, 50),
    "gpt-6-sol": _new(2, 0.2, 10),
    "gpt-6-luna": _new(0.1, 0.01, 0.5),
    "gpt-5.6-sol": _new(4, 0.4, 20),
    "gpt-5.6-terra": _new(2, 0.2, 12),
    "gpt-5.6-luna": _new(0.2, 0.02, 1.2),
    "gpt-5.5": _old(5, 0.5, 30),
    "gpt-5.4": _old(2.5, 0.25, 15),
    "gpt-5.4-mini": _old(0.75, 0.075, 4.5),
    "gpt-5.2": _old(1.75, 0.175, 14),
    "gpt-5": _old(1.25, 0.125, 10),
    "gpt-5-mini": _old(0.25, 0.025, 2),
    "gpt-4.1": _old(2, 0.5, 8),
    "gpt-4o": _old(2.5, 1.25, 10),
    "gpt-4o-mini": _old(0.15, 0.075, 0.6),
}
FREE = Price(0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Prices:
    """The prices of an endpoint's models.

    Args:
        own: prices in `config.toml`, by model, which override the built-in ones.
        built_in: whether the endpoint is OpenAI's, so that its prices and discounts apply.
        free: whether the models run on this machine and cost nothing.
    """

    own: Mapping[str, Price]
    built_in: bool = False
    free: bool = False

    def of(self, *models: str) -> Price | None:
        """The price of a model, or `None` if it is unknown.

        Args:
            models: its names: the server's, and the requested one.
        """
        if self.free:
            return FREE
        tables = (self.own, OPENAI_PRICES) if self.built_in else (self.own,)
        names = [name for model in models for name in (model, _DATED.sub("", model))]
        return next((table[name] for table in tables for name in names if name in table), None)

    def paid(self, window: Window) -> float:
        """The share of the price that a window costs: 1.0 is all of it."""
        return _PAID[window] if self.built_in else 1.0

    def cost(self, usage: Usage | None, *models: str, window: Window = "now") -> float | None:
        """The cost of a request in US dollars, or `None` if usage or price is unknown.

        Args:
            usage: the usage from the server.
            models: see `of`.
            window: the requested window.
        """
        if self.free:
            return 0.0
        price = self.of(*models)
        if usage is None or price is None:
            return None
        return rounded(price.cost(usage) * self.paid(window))


def own_prices(settings: Mapping[str, Mapping[str, float]]) -> dict[str, Price]:
    """The prices in `config.toml`, without models that lack `input` or `output`.

    Args:
        settings: the result of `Settings.prices`.
    """
    return {
        model: Price(keys["input"], keys["output"], keys.get("cached"), keys.get("cache_write"))
        for model, keys in settings.items()
        if "input" in keys and "output" in keys
    }


NO_PRICES = Prices({})


def rounded(cost: float) -> float:
    """A cost, rounded to remove errors of binary fractions."""
    return round(cost, _DIGITS)


def total(costs: Iterable[float | None]) -> float | None:
    """The sum of costs; `None` if one of them is unknown."""
    found = list(costs)
    known = [cost for cost in found if cost is not None]
    return rounded(sum(known)) if len(known) == len(found) else None


@dataclass(frozen=True, slots=True)
class Estimate:
    """The estimated usage and cost of a request.

    `input_tokens` are counted if `exact`, else estimated; `output_tokens` are a guess. `cost` is in
    US dollars, `None` if the price is unknown. It is for `requests` of equal size.
    """

    model: str
    input_tokens: int
    output_tokens: int
    cost: float | None
    exact: bool = False
    requests: int = 1


class BudgetBusy(Exception):
    """Runs under way may use up the budget; one of this `cost` can be tried after them."""

    def __init__(self, cost: float) -> None:
        super().__init__(cost)
        self.needed = cost


class Budget:
    """A limit of the cost of any number of runs, in US dollars. Thread-safe.

    A run does not start if its estimate exceeds the rest, or once the limit is reached; runs under
    way are finished. So only those can exceed the limit.

    Args:
        limit: US dollars.
    """

    def __init__(self, limit: float) -> None:
        self.limit = limit
        self._lock = threading.Lock()
        self._spent = 0.0
        self._under_way = 0.0
        self._admitted = False

    @property
    def spent(self) -> float:
        """US dollars so far."""
        return rounded(self._spent)

    @property
    def reached(self) -> bool:
        """Whether the limit is reached."""
        return self._spent >= self.limit

    def reached_with(self, cost: float | None) -> bool:
        """Whether the limit is reached, including the cost so far of a run under way."""
        return self._spent + (cost or 0.0) >= self.limit

    @property
    def is_taken(self) -> bool:
        """Whether the limit is reached, or will be by runs under way."""
        return self._spent + self._under_way >= self.limit

    def leaves_doubt(self, estimate: Estimate) -> bool:
        """Whether an estimate is so close to the rest that a better one might decide otherwise."""
        if self._admitted or estimate.cost is None:
            return False
        left = self.limit - self._spent
        return abs(estimate.cost - left) <= _DOUBT * estimate.cost

    def admit(self, estimates: Sequence[Estimate], *, whole_job: bool = False) -> None:
        """Raise if an estimate exceeds the rest.

        Args:
            estimates: the estimates of the requests.
            whole_job: whether they are all requests, so that single ones need no further check.

        Raises:
            UsageError: a price is unknown.
            LimitReached: it would cost too much.
        """
        if self._admitted:
            return
        for estimate in estimates:
            if estimate.cost is None:
                raise price_unknown(estimate.model)
        cost = total(estimate.cost for estimate in estimates) or 0.0
        if self._spent + cost > self.limit:
            left = max(self.limit - self._spent, 0.0)
            spent = f", of which {cost_text(left)} are left" if self._spent else ""
            limit = f"the limit of {cost_text(self.limit)}{spent}"
            raise LimitReached(
                f"estimated at {cost_text(cost)}, above {limit}",
                hint="raise --max-cost, send less, or take a cheaper model with -m",
                code="over_max_cost",
            )
        self._admitted = whole_job

    def fits(self, cost: float) -> bool:
        """Whether a run of this cost fits beside those under way."""
        return self._spent + self._under_way + cost <= self.limit

    def begin(self, estimate: Estimate) -> None:
        """Count a run that starts.

        Raises:
            BudgetBusy: it may only start once others are finished.
        """
        cost = estimate.cost or 0.0
        with self._lock:
            if self._under_way > _NOTHING and not self._admitted and not self.fits(cost):
                raise BudgetBusy(cost)
            self._under_way += cost

    def end(self, estimate: Estimate, cost: float | None) -> None:
        """Count a run under way as spent; by its estimate, if its cost is unknown."""
        estimated = estimate.cost or 0.0
        with self._lock:
            self._under_way -= estimated
            self._spent += estimated if cost is None else cost

    def stopped(self) -> LimitReached:
        """The error for a run that does not start, because the limit is reached."""
        return LimitReached(
            f"stopped: {cost_text(self.spent)} of at most {cost_text(self.limit)} are spent",
            hint="the same command with a higher --max-cost goes on from here",
            code="max_cost_reached",
        )


def budget_of(limit: float | None, named: str) -> Budget | None:
    """A budget in US dollars, if there is a limit.

    Args:
        limit: US dollars.
        named: the name of the limit where it was given.

    Raises:
        UsageError: it is not a valid amount.
    """
    if limit is None:
        return None
    if not 0 < limit < _MOST:
        raise UsageError(f"{named} is {limit:g}, but must be an amount of US dollars above 0")
    return Budget(limit)


def price_unknown(model: str) -> UsageError:
    """The error for limiting the cost of a model with an unknown price."""
    import shlex

    key = shlex.quote(f"prices.{model}.input")
    other = shlex.quote(f"prices.{model}.output")
    return UsageError(
        f"the price of `{model}` is not known, so its cost can't be limited",
        hint=f"{cmd(f'config set {key} USD')} and {cmd(f'config set {other} USD')} set it, in US"
        " dollars per million tokens",
        code="price_unknown",
    )


def cost_text(cost: float | None) -> str:
    """A cost as text: two significant digits, or cents from a dollar on."""
    if cost is None:
        return "price unknown"
    if cost == 0 or cost >= 1:
        return f"${cost:,.2f}"
    digits = 1 - math.floor(math.log10(cost))
    return f"${cost:.{digits}f}"
