"""What models cost, and what runs cost with them. All prices are US dollars for a million tokens.

Sources, read on 2026-11-29. OpenAI's own pages (developers.openai.com/api/docs/models, its pages
of gpt-6.2-sol and gpt-6-luna, and guides/background): the models that it shows there, the surcharge
for long requests, the price of cache writes, and the discounts of batches and background runs. For
earlier models, tables that name OpenAI's pricing page as their source: release notes of LiteLLM
(September 2026), GitHub's table for Copilot, and the crates adk-model and openai-models.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Literal

from gptasst.api.types import Usage
from gptasst.values import dataclass

AS_OF = date(2026, 11, 29)
SOURCE = "https://developers.openai.com/api/docs/pricing"

# Within which time an answer comes: at once, or later at a discount.
Window = Literal["now", "2h", "8h", "24h"]
WINDOWS: tuple[Window, ...] = ("now", "2h", "8h", "24h")
_PAID: Mapping[Window, float] = {"now": 1.0, "2h": 0.7, "8h": 0.6, "24h": 0.5}

# A request with more input than this costs more as a whole, from GPT-5.6 on.
LONG_TOKENS = 272_000
_LONG_INPUT, _LONG_OUTPUT = 2.0, 1.5
# A dated version costs what its model costs.
_DATED = re.compile(r"-\d{4}-\d\d-\d\d$")
_MILLION = 1_000_000
_DIGITS = 10  # of a cost after the point: a token of the cheapest cache has eight


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars for a million tokens of a model.

    Where `cached` or `cache_write` is not known, such tokens are counted as `input`: they cost no
    more than that, or 1.25 times as much where `is_long_dearer`, as from GPT-5.6 on.
    `is_long_dearer` also means that requests of more than 272,000 tokens have other prices.
    """

    input: float
    output: float
    cached: float | None = None
    cache_write: float | None = None
    is_long_dearer: bool = False

    def cost(self, usage: Usage) -> float:
        """US dollars for one request."""
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
    """A model from GPT-5.6 on: writing to its cache costs 1.25 times what its input costs."""
    return Price(given, made, cached, 1.25 * given, is_long_dearer=True)


def _old(given: float, cached: float | None, made: float) -> Price:
    """An earlier model, whose cache is written for nothing."""
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
    """What the models of one endpoint cost.

    Args:
        own: prices in `config.toml`, by model; they come before what is built in.
        built_in: the endpoint is OpenAI's, so that its prices and discounts hold.
        free: the models run on this machine and cost nothing.
    """

    own: Mapping[str, Price]
    built_in: bool = False
    free: bool = False

    def of(self, *models: str) -> Price | None:
        """The price of a model, or `None` where it is not known.

        Args:
            models: the names that it goes by: what the server calls it, what was asked for.
        """
        if self.free:
            return FREE
        tables = (self.own, OPENAI_PRICES) if self.built_in else (self.own,)
        names = [name for model in models for name in (model, _DATED.sub("", model))]
        return next((table[name] for table in tables for name in names if name in table), None)

    def paid(self, window: Window) -> float:
        """Which part of the price is paid within a window: 1.0 is all of it."""
        return _PAID[window] if self.built_in else 1.0

    def cost(self, usage: Usage | None, *models: str, window: Window = "now") -> float | None:
        """US dollars for one request, or `None` where usage or price is not known.

        Args:
            usage: as the server counted it.
            models: as `of` takes them.
            window: within which time the answer was to come.
        """
        price = self.of(*models)
        if usage is None or price is None:
            return None
        return rounded(price.cost(usage) * self.paid(window))


def own_prices(settings: Mapping[str, Mapping[str, float]]) -> dict[str, Price]:
    """The prices in `config.toml`; of a model that lacks one of `input` and `output` there is none.

    Args:
        settings: as `Settings.prices` gives them.
    """
    return {
        model: Price(keys["input"], keys["output"], keys.get("cached"), keys.get("cache_write"))
        for model, keys in settings.items()
        if "input" in keys and "output" in keys
    }


NO_PRICES = Prices({})


def rounded(cost: float) -> float:
    """A cost without the digits that come from adding binary fractions."""
    return round(cost, _DIGITS)


def total(costs: Iterable[float | None]) -> float | None:
    """The sum of costs; `None` where one of them is not known."""
    found = list(costs)
    known = [cost for cost in found if cost is not None]
    return rounded(sum(known)) if len(known) == len(found) else None


def cost_text(cost: float | None) -> str:
    """A cost for people: two digits, or cents from a dollar on."""
    if cost is None:
        return "price unknown"
    if cost == 0 or cost >= 1:
        return f"${cost:,.2f}"
    digits = 1 - math.floor(math.log10(cost))
    return f"${cost:.{digits}f}"
