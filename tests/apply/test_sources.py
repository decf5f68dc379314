"""What a directory of definitions is called."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gptasst.apply.reading import known_word
from gptasst.apply.sources import file_of_source, source_directory
from gptasst.processes.programs import find_program

GIT = find_program("git")
_PART = st.text("ab.*[ é", min_size=1, max_size=4).filter(lambda part: set(part) != {"."})


@pytest.fixture(autouse=True)
def store() -> None:
    """None is needed here."""


def machine() -> str:
    return "a1b2c3"


def named(url: str) -> str:
    """The name of a directory `assistants` in a clone from a URL."""
    config = Path("clone/.git/config")
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text(f'[core]\n\tbare = false\n[remote "origin"]\n\turl = {url}\n\tfetch = x\n')
    Path("clone/assistants").mkdir(exist_ok=True)
    return source_directory(Path("clone/assistants"), machine).name


@pytest.mark.parametrize(
    "url",
    [
        "https://github.com/acme/docs",
        "https://github.com/acme/docs.git",
        "https://GitHub.com/acme/docs/",
        "https://user:secret@github.com/acme/docs.git",
        "https://x-access-token:ghs_secret@github.com:443/acme/docs",
        "ssh://git@github.com/acme/docs.git",
        "ssh://git@github.com:22/acme/docs.git",
        "git@github.com:acme/docs.git",
        "github.com:acme/docs",
        "git://github.com/acme/docs.git",
    ],
)
def test_every_way_to_reach_a_remote_is_one_name(url: str) -> None:
    assert named(url) == "github.com/acme/docs//assistants"


@pytest.mark.parametrize("url", ["git@git.acme.org:/srv/docs.git", "ssh://git.acme.org/srv/docs"])
def test_a_remote_with_an_absolute_path_is_one_name(url: str) -> None:
    assert named(url) == "git.acme.org/srv/docs//assistants"


@pytest.mark.parametrize("url", ["/srv/git/docs.git", "file:///srv/git/docs.git"])
def test_a_remote_on_this_disk_is_its_path(url: str) -> None:
    assert named(url) == "/srv/git/docs//assistants"


def test_without_a_remote_or_a_repository_it_is_a_path(tmp_path: Path) -> None:
    assert named("").endswith("/work/clone//assistants")
    Path("plain").mkdir()
    assert source_directory(Path("plain"), machine).name.endswith("/work/plain")
    own = source_directory(Path("clone"), machine)
    assert own.name.endswith("/work/clone//.")
    assert own.name == f"machine-a1b2c3:{own.former}"
    assert source_directory(Path("clone"), lambda: "other").name != own.name
    assert file_of_source(f"{own.name}//a.toml", Path("clone"), lambda: "other") is None


@pytest.mark.skipif(GIT is None, reason="needs git")
def test_working_trees_of_a_repository_agree() -> None:
    def git(*words: str) -> None:
        assert GIT is not None
        who = ("-c", "user.name=a", "-c", "user.email=a@example.com")
        subprocess.run([GIT, *who, *words], check=True, capture_output=True)

    git("init", "main")
    Path("main/assistants").mkdir()
    Path("main/assistants/a.toml").write_text('name = "A"\n')
    git("-C", "main", "add", ".")
    git("-C", "main", "commit", "-m", "x")
    git("-C", "main", "worktree", "add", "../other")
    names = {source_directory(Path(tree, "assistants"), machine).name for tree in ("main", "other")}
    assert len(names) == 1
    (name,) = names
    found = file_of_source(f"{name}//a.toml", Path("other"), machine)
    assert found is not None
    assert found.samefile("other/assistants/a.toml")
    git("-C", "main", "remote", "add", "upstream", "https://example.com/x/y")
    assert source_directory(Path("other/assistants"), machine).name == "example.com/x/y//assistants"


@pytest.mark.parametrize(
    "source",
    [
        "github.com/acme/docs//../..//secret.toml",
        "github.com/acme/docs//assistants//../../secret.toml",
        "github.com/acme/docs//assistants//..",
        "github.com/other/docs//assistants//a.toml",
        "//",
        "a",
    ],
)
def test_what_others_wrote_leads_to_no_file_elsewhere(source: str) -> None:
    named("https://github.com/acme/docs")
    Path("secret.toml").write_text("x")
    Path("clone/assistants/a.toml").write_text("x")
    assert file_of_source(source, Path("clone"), machine) is None
    own = file_of_source("github.com/acme/docs//assistants//a.toml", Path("clone"), machine)
    assert own is not None


@given(
    st.lists(_PART, min_size=1, max_size=4),
    st.lists(_PART, min_size=1, max_size=3),
    st.integers(0, 3),
)
def test_a_file_is_known_by_its_path_from_the_mark(
    path: list[str], before: list[str], up: int
) -> None:
    wanted = "/".join(path)
    assert known_word("../" * up + wanted) == wanted
    assert known_word("/".join([*before, ".", wanted])) == wanted
    assert known_word("/".join([*before, ".", "/" + wanted])) == "/" + wanted
