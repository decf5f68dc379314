"""The Python of the pages runs, and the tables of the old module name what there was and is."""

from __future__ import annotations

import re

import pytest

import gptasst
from gptasst import hchatgpt
from tests.conftest import Cli, Write
from tests.docs.pages import DOCS, PAGES, blocks
from tests.loopback import LoopbackServer

OLD_MODULE = DOCS / "how-to/old-module.md"
SNIPPETS = [block.text for page in PAGES for block in blocks(page) if block.language == "python"]
OLD_FUNCTIONS = """
create_assistant update_assistant_by_id delete_assistant_by_id get_all_assistants
get_all_assistant_names get_assistant_id_by_name upload_to_gpt remove_from_gpt get_gpt_id
get_gpt_file_from_id get_gpt_file_from_path set_assistant_files_by_name
add_files_to_assistant_by_name delete_file_from_assistant_by_id
delete_file_from_assistant_by_name create_thread create_message_on_thread
create_message_on_thread_with_file_names run_thread_on_assistant run_thread_on_assistant_by_name
wait_for_run_result e2e_assistant_runner
""".split()
OLD_OPTIONS = """
--create --edit --delete --new_name --model --instruction_name --input_files --retrieval_tool
--code_tool --list --assistant_name --input_text --output_file --vim
""".split()


def rows(head: str) -> list[tuple[str, str]]:
    """A table of the old module's page: what was, and what is."""
    _, _, rest = OLD_MODULE.read_text("utf-8").partition(f"| {head} |")
    table, _, _ = rest.partition("\n\n")
    return re.findall(r"^\| (.+?) \| (.+) \|$", table, re.MULTILINE)


@pytest.mark.parametrize("snippet", SNIPPETS, ids=lambda text: text.splitlines()[0])
def test_snippet(project: LoopbackServer, write: Write, snippet: str) -> None:
    write("assistants/writer.toml", 'name = "Writer"\ninstructions = "x"\n')
    for name in ("style-guide.md", "guide.md", "docs/billing.md", "docs/home.md", "billing.py"):
        write(name, f"text of {name}\n")
    exec(compile(snippet, "docs", "exec"), {})
    hchatgpt.use_client(None)


def test_there_are_the_snippets_of_the_old_guide() -> None:
    (old,) = (block.text for block in blocks(OLD_MODULE) if block.language == "python")
    for called in ("upload_to_gpt", "set_assistant_files_by_name", "create_thread", "e2e_"):
        assert f"hchatgp.{called}" in old


def test_every_old_function_is_in_the_table_and_in_the_module() -> None:
    table = rows("old function")
    assert sorted(f for old, _ in table for f in re.findall(r"\w+", old)) == sorted(OLD_FUNCTIONS)
    assert set(OLD_FUNCTIONS) <= set(vars(hchatgpt))
    with gptasst.Client() as client:
        for _, new in table:
            for holder, method in re.findall(r"client\.(?:(\w+)\.)?(\w+)\(", new):
                assert callable(getattr(getattr(client, holder) if holder else client, method))


def test_every_old_option_is_in_the_table(cli: Cli) -> None:
    table = rows("old option")
    named = [word for old, _ in table for word in re.findall(r"--[a-z][\w-]*", old)]
    assert [word for word in named if not word.startswith("--no")] == OLD_OPTIONS
    for _, new in table:
        for words in re.findall(r"`gptasst ([a-z ]+)", new):
            assert cli(*words.split(), "--help").code == 0
