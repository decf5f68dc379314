"""What runs cost: in JSON, for people, and with prices of one's own."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gptasst.api.types import Usage
from gptasst.models.prices import OPENAI_PRICES, Price, Prices, cost_text, total
from tests.conftest import Cli, Write
from tests.loopback import LoopbackServer

LUNA = Prices({}, built_in=True)


class TestPrices:
    def test_each_kind_of_token_has_its_price(self) -> None:
        usage = Usage(1_000_000, 100_000, cached=200_000, written=100_000)
        price = Price(2.0, 10.0, cached=0.1, cache_write=2.5)
        assert price.cost(usage) == pytest.approx(0.7 * 2 + 0.2 * 0.1 + 0.1 * 2.5 + 1.0)

    def test_what_is_unknown_is_never_counted_as_less(self) -> None:
        assert Price(2.0, 10.0).cost(Usage(1000, 0, cached=1000)) == 0.002

    def test_a_model_on_this_machine_costs_nothing_even_if_its_tokens_are_unknown(self) -> None:
        assert Prices({}, free=True).cost(None, "m") == 0.0
        assert LUNA.cost(None, "gpt-6-luna") is None

    def test_a_long_request_costs_more_as_a_whole(self) -> None:
        luna = OPENAI_PRICES["gpt-6-luna"]
        assert luna.cost(Usage(272_000, 1000)) == pytest.approx(0.0272 + 0.0005)
        assert luna.cost(Usage(272_001, 1000)) == pytest.approx(2 * 0.0272001 + 0.00075)

    @pytest.mark.parametrize(
        ("models", "known"),
        [
            (["gpt-6-luna"], True), (["gpt-6-luna-2026-09-22"], True), (["gpt-6-lunatic"], False),
            (["qwen3:8b"], False), (["deployment", "gpt-6.2-sol"], True),
        ],
    )  # fmt: skip
    def test_names(self, models: list[str], known: bool) -> None:
        assert (LUNA.of(*models) is not None) == known

    def test_own_prices_come_first(self) -> None:
        mine = Price(1.0, 1.0)
        assert Prices({"gpt-6-luna": mine}, built_in=True).of("gpt-6-luna") == mine
        assert Prices({"asked": mine}, built_in=True).of("gpt-6-luna", "asked") == mine

    def test_discounts_are_openais(self) -> None:
        usage, mine = Usage(1_000_000, 0), {"m": Price(1.0, 1.0)}
        built_in = Prices(mine, built_in=True)
        assert [built_in.cost(usage, "m", window=w) for w in ("now", "2h", "8h", "24h")] == [
            1.0, 0.7, 0.6, 0.5,
        ]  # fmt: skip
        assert Prices(mine).cost(usage, "m", window="24h") == 1.0

    def test_a_sum_with_something_unknown_is_unknown(self) -> None:
        assert (total([0.1, 0.2]), total([0.1, None]), total([])) == (0.3, None, 0.0)

    @given(st.floats(1e-9, 1e5))
    def test_a_cost_as_text_is_near_the_cost(self, cost: float) -> None:
        assert float(cost_text(cost).replace(",", "")[1:]) == pytest.approx(cost, rel=0.05)

    @given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6))
    def test_more_tokens_never_cost_less(self, given: int, more: int, made: int) -> None:
        for price in OPENAI_PRICES.values():
            assert price.cost(Usage(given, made)) <= price.cost(Usage(given + more, made))


class TestWhatIsShown:
    def test_json(self, cli: Cli, server: LoopbackServer) -> None:
        ran = cli("run", "DocWriter", "-t", "x", "--json").json
        usage = ran["usage"]
        exact = (usage["input"] * 0.1 + usage["output"] * 0.5) / 1e6
        assert ran["cost"] == pytest.approx(exact)

    def test_an_edit_is_the_sum_of_its_requests(
        self, cli: Cli, server: LoopbackServer, write: Write
    ) -> None:
        write("in.md", "One line.\n\n" * 3000)
        ran = cli("run", "MarkdownLinter", "-f", "in.md", "--json").json
        usage = Usage(**ran["usage"])
        assert len(server.requests) > 1
        assert ran["cost"] == pytest.approx(OPENAI_PRICES["gpt-6-luna"].cost(usage))

    def test_for_people(self, cli: Cli, server: LoopbackServer) -> None:
        ran = cli("run", "DocWriter", "-t", "x", "-v")
        assert " out (0 reasoning), $0.0000" in ran.stderr

    def test_each_and_batches_add_up(self, cli: Cli, server: LoopbackServer, write: Write) -> None:
        for number in range(3):
            write(f"in/{number}.md", f"Text {number}.")
        each = cli("run", "DocWriter", "--each", "-f", "in", "-o", "out", "--json").json
        costs = [file["cost"] for file in each["files"]]
        assert each["summary"]["cost"] == pytest.approx(sum(costs))
        assert all(costs)
        batch = (
            "run",
            "DocWriter",
            "--each",
            "-f",
            "in",
            "-o",
            "b",
            "--batch",
            "--wait",
            "--force",
        )
        fetched = cli(*batch, "--json").json
        assert fetched["summary"]["cost"] == pytest.approx(each["summary"]["cost"] / 2)
        again = cli("run", "DocWriter", "--each", "-f", "in", "-o", "out", "--json").json
        assert again["summary"]["cost"] == 0  # nothing was asked

    def test_an_unknown_price_is_never_zero(
        self, cli: Cli, server: LoopbackServer, write: Write, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        server.models.append("mystery")
        monkeypatch.setenv("GPTASST_MODEL", "mystery")
        write("a.md", "x")
        assert cli("run", "DocWriter", "a.md", "--json").json["cost"] is None
        ran = cli("run", "DocWriter", "a.md", "--each", "-o", "out")
        assert ", price unknown, " in ran.stderr
        cli("config", "set", "prices.mystery.input", "1")
        assert cli("run", "DocWriter", "a.md", "--json").json["cost"] is None
        cli("config", "set", "prices.mystery.output", "2")
        ran = cli("run", "DocWriter", "a.md", "--json").json
        exact = (ran["usage"]["input"] + 2 * ran["usage"]["output"]) / 1e6
        assert ran["cost"] == pytest.approx(exact)

    def test_another_server_does_not_charge_what_openai_charges(
        self, cli: Cli, server: LoopbackServer, home: Path
    ) -> None:
        config = home / "config" / "config.toml"
        config.parent.mkdir(parents=True)
        config.write_text(f'[profiles.proxy]\nbase_url = "{server.base_url}"\n')
        ran = cli("--profile", "proxy", "run", "DocWriter", "-t", "x", "-m", "gpt-6-luna", "--json")
        assert ran.json["cost"] is None


class TestConfiguration:
    def test_names_with_dots(self, cli: Cli, home: Path) -> None:
        assert cli("config", "set", "prices.gpt-6.9-luna.cached", "0.005").code == 0
        text = (home / "config" / "config.toml").read_text()
        assert text == '[prices."gpt-6.9-luna"]\ncached = 0.005\n'
        shown = cli("config", "show", "--json").json["values"]
        found = next(v for v in shown if v["key"] == "prices.gpt-6.9-luna.cached")
        assert (found["value"], found["source"].rpartition("/")[2]) == (0.005, "config.toml:2")

    @pytest.mark.parametrize(
        ("key", "value", "said"),
        [
            ("prices.m.inptu", "1", "did you mean `prices.m.input`?"),
            ("prices.m.input", "free", "`prices.m.input` is a number, not `free`"),
            ("prices.m.input", "nan", "key `prices.m.input` must be from 0.0"),
            ("prices.m.input", "inf", "key `prices.m.input` must be from 0.0"),
            ("prices.m", "1", "there is no key `prices.m`"),
        ],
    )
    def test_what_is_refused(self, cli: Cli, home: Path, key: str, value: str, said: str) -> None:
        ran = cli("config", "set", key, value)
        assert (ran.code, said in ran.stderr) == (2, True)
        assert not (home / "config" / "config.toml").exists()

    @pytest.mark.parametrize("text", ["prices = 1\n", "[prices]\nm = 1\n", "[prices.m]\nx = 1\n"])
    def test_a_file_that_is_wrong_is_named_with_its_line(
        self, cli: Cli, server: LoopbackServer, home: Path, text: str
    ) -> None:
        config = home / "config" / "config.toml"
        config.parent.mkdir(parents=True)
        config.write_text(text)
        ran = cli("run", "DocWriter", "-t", "x")
        assert (ran.code, f"{config}:" in ran.stderr) == (2, True)
