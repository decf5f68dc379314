"""Estimates against what a server counts that has OpenAI's own tokenizer."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gptasst.models import tokens
from gptasst.models.prices import LONG_TOKENS, OPENAI_PRICES
from tests.conftest import Cli, Write
from tests.loopback import LoopbackServer
from tests.loopback.tokenizer import o200k, table
from tests.runs.languages import COUNTED, TEXTS

ROOT = Path(__file__).parents[2]
CHINESE = """\
数据库备份是系统管理员日常工作中最重要的任务之一。如果服务器的硬盘突然损坏，而没有可用的备份，公司可能会失去多年积累的客户资料、订单记录和合同文件。\
因此，每个团队都应该制定清楚的备份计划，并且定期检查恢复过程是否真的有效。

昨天下午，我和朋友一起去了城市西边的一座小山。天气很好，阳光透过树叶照在石头小路上，风里带着一点桂花的香味。我们走了大约一个小时才到山顶，\
虽然有些累，但是看到远处的湖水和田野，心里觉得非常高兴。

翻译时请保留所有的代码、链接和占位符。专业术语使用行业里常见的译法，第一次出现时在括号中给出英文原文。句子可以重新组织，但意思不能改变。
"""  # noqa: RUF001
CODE = (
    "src/gptasst/each/pace.py", "src/gptasst/api/answers.py", "src/gptasst/runs/edits.py",
    "tests/loopback/world.py", "scripts/derived-files",
)  # fmt: skip
PROSE = (
    "docs/tutorial.md",
    "docs/architecture.md",
    "docs/how-to/project.md",
    "SECURITY.md",
    "LICENSE",
)


@pytest.fixture
def counting(server: LoopbackServer) -> LoopbackServer:
    server.tokenizer = o200k()
    if server.tokenizer is None:
        pytest.skip("OpenAI's tokenizer is not installed")
    return server


@pytest.fixture
def estimating(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Tiktoken's table is not in its cache."""
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path / "nothing"))
    tokens._tiktoken.cache_clear()


@pytest.mark.usefixtures("estimating")
class TestAgainstTheServer:
    @pytest.mark.parametrize("name", [*PROSE, *CODE, "CHINESE"])
    def test_within_a_tenth(
        self, cli: Cli, counting: LoopbackServer, write: Write, name: str
    ) -> None:
        text = CHINESE * 5 if name == "CHINESE" else (ROOT / name).read_text("utf-8")
        write("in.txt", text)
        command = ("run", "DocWriter", "in.txt", "--json")
        estimated = cli(*command, "--dry-run").json["estimated_tokens"]
        counted = cli(*command).json["usage"]["input"]
        assert estimated == pytest.approx(counted, rel=0.1)

    def test_an_edit(self, cli: Cli, counting: LoopbackServer, write: Write) -> None:
        write("in.md", (ROOT / "docs/tutorial.md").read_text("utf-8"))
        command = ("run", "MarkdownLinter", "-f", "in.md", "--json")
        plan, ran = cli(*command, "--dry-run").json, cli(*command).json
        assert plan["estimated_output_tokens"] == pytest.approx(ran["usage"]["output"], rel=0.1)
        assert plan["estimated_cost"]["now"] == pytest.approx(ran["cost"], rel=0.15)


@pytest.mark.parametrize("language", TEXTS)
def test_languages(language: str) -> None:
    counted = COUNTED[language]
    assert tokens.estimated(TEXTS[language]) == pytest.approx(counted, rel=0.1)
    count = o200k()
    assert count is None or count(TEXTS[language]) == counted


@pytest.mark.usefixtures("estimating")
class TestTheServersCount:
    def test_it_decides_where_the_limit_is_near(
        self, cli: Cli, counting: LoopbackServer, write: Write
    ) -> None:
        write("in.txt", CHINESE * 20)
        command = ("run", "DocWriter", "in.txt", "--json")
        estimated = cli(*command, "--dry-run").json["estimated_cost"]["now"]
        assert not counting.requests  # a dry run sends nothing

        def counts() -> int:
            return sum(r.path == "/v1/responses/input_tokens" for r in counting.requests)

        assert cli(*command, "--max-cost", str(estimated * 3)).code == 0
        assert counts() == 0
        again = cli(*command, "--dry-run").json["estimated_cost"]["now"]
        cli(*command, "--max-cost", str(again))
        assert counts() == 1


def test_a_second_estimate_knows_how_long_answers_are(cli: Cli, server: LoopbackServer) -> None:
    server.answer = "word " * 4000
    command = ("run", "DocWriter", "-t", "x", "--json")
    assert cli(*command, "--dry-run").json["estimated_output_tokens"] == 500
    made = cli(*command).json["usage"]["output"]
    assert cli(*command, "--dry-run").json["estimated_output_tokens"] == made


def test_tiktoken_counts_where_its_table_is(
    cli: Cli, server: LoopbackServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, count = table(), o200k()
    if found is None or count is None:
        pytest.skip("OpenAI's tokenizer is not installed")
    cache = tmp_path / "cache"
    cache.mkdir()
    name = hashlib.sha1(tokens._TABLE.encode(), usedforsecurity=False).hexdigest()
    (cache / name).write_bytes(found)
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(cache))
    tokens._tiktoken.cache_clear()
    try:
        assert tokens.is_exact()
        assert tokens.counter()(CHINESE) == count(CHINESE)
    finally:
        tokens._tiktoken.cache_clear()


@given(st.text(max_size=300))
def test_any_text_has_an_estimate(text: str) -> None:
    assert 0 <= tokens.estimated(text) <= 4 * len(text) + 1


@given(st.text(max_size=100), st.text(max_size=100))
def test_more_text_is_about_the_sum(one: str, other: str) -> None:
    both = tokens.estimated(one + "\n" + other)
    assert both >= max(tokens.estimated(one), tokens.estimated(other)) * 0.6 - 3


def test_no_estimate_downloads_anything(
    cli: Cli, server: LoopbackServer, estimating: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        pytest.fail("a download")

    monkeypatch.setattr("socket.create_connection", refuse)
    assert cli("run", "DocWriter", "-t", "x", "--dry-run").code == 0
    assert not server.requests


def test_a_dry_run_of_many_files_asks_the_server_nothing(
    cli: Cli, server: LoopbackServer, write: Write, home: Path
) -> None:
    """Not even which tools it has."""
    config = home / "config" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text(f'[profiles.proxy]\nbase_url = "{server.base_url}"\nmodel = "m"\n')
    write("W.toml", 'name = "W"\ninstructions = "Write."\n[tools]\nweb_search = true\n')
    write("in/a.md", "one")
    ran = cli("--profile", "proxy", "run", "W.toml", "--each", "-f", "in", "-o", "out", "--dry-run")
    assert (ran.code, server.requests) == (0, [])
    assert "price unknown" in ran.stderr


@pytest.mark.usefixtures("estimating", "server")
def test_a_large_edit_is_not_priced_as_one_long_request(cli: Cli, write: Write) -> None:
    paragraph = "Each part of this text is sent in a request of its own.\n\n"
    write("large.md", paragraph * 30_000)
    plan = cli("run", "MarkdownLinter", "-f", "large.md", "--dry-run", "--json").json
    given, made = plan["estimated_tokens"], plan["estimated_output_tokens"]
    price = OPENAI_PRICES["gpt-6-luna"]
    assert given > LONG_TOKENS
    assert plan["estimated_cost"]["now"] == pytest.approx(
        (given * price.input + made * price.output) / 1e6, rel=0.02
    )
