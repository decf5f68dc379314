"""Trees that a stranger made: links, pipes, depth, and the folders of version control."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gptasst.errors import InvalidInput
from gptasst.inputs.words import FoundFiles, expand_words, find_files
from tests.conftest import Cli, Write
from tests.loopback import LoopbackServer

WORDS = ["docs", "docs/*", "docs/**", "docs/**/*", "doc*/*", "."]


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    diary = tmp_path / "diary.md"
    diary.write_text("dear diary\n")
    return diary


def names(found: FoundFiles) -> list[str]:
    return [file.path.as_posix() for file in found.files]


def reasons(found: FoundFiles) -> str:
    return "\n".join(refusal.reason for refusal in found.skipped)


class TestLinks:
    @pytest.mark.parametrize("word", WORDS)
    def test_out_of_the_tree(self, write: Write, outside: Path, word: str) -> None:
        write("docs/a.md", "a")
        Path("docs/z.md").symlink_to(outside)
        found = find_files([word])
        assert names(found) == ["docs/a.md"]
        assert "`docs/z.md` is a link that leads out of" in reasons(found)

    @pytest.mark.parametrize("word", WORDS)
    def test_into_version_control(self, write: Write, word: str) -> None:
        write("docs/a.md", "a")
        write("docs/.git/config", "token")
        Path("docs/z.md").symlink_to(".git/config")
        found = find_files([word])
        assert names(found) == ["docs/a.md"]
        assert "version control" in reasons(found)

    def test_named_itself(self, outside: Path) -> None:
        Path("z.md").symlink_to(outside)
        assert expand_words(["z.md"]) == [Path("z.md")]

    @pytest.mark.parametrize("word", WORDS)
    @pytest.mark.parametrize("link", ["docs/a.md", "docs/z.md"])
    def test_one_file_is_one_item(self, write: Write, word: str, link: str) -> None:
        write("docs/m.md", "a")
        Path(link).symlink_to("m.md")
        assert names(find_files([word])) == ["docs/m.md"]

    @pytest.mark.parametrize("word", WORDS)
    def test_directories_are_not_entered(self, write: Write, outside: Path, word: str) -> None:
        write("docs/a.md", "a")
        Path("docs/loop").symlink_to(".")
        Path("docs/out").symlink_to(outside.parent)
        assert names(find_files([word])) == ["docs/a.md"]
        for pattern in ("docs/*/a.md", "docs/**/loop/a.md", "docs/*/diary.md"):
            assert "docs/loop/a.md" not in _found_or_nothing(pattern)

    @pytest.mark.parametrize(
        ("target", "reason"),
        [("nowhere", "is a link to `nowhere`, which is not there"), ("z.md", "leads in a circle")],
    )
    def test_to_nothing(self, write: Write, target: str, reason: str) -> None:
        write("docs/a.md", "a")
        Path("docs/z.md").symlink_to(target)
        assert reason in reasons(find_files(["docs"]))
        for word in ("docs/z.md", "docs/z.md/x"):
            with pytest.raises(InvalidInput, match=r"`docs/z\.md` is a link") as caught:
                find_files([word])
            assert reason in caught.value.message
            assert caught.value.code == "no_such_file"

    def test_below_a_file(self, write: Write) -> None:
        write("a.md", "a")
        with pytest.raises(InvalidInput, match=r"`a\.md` is not a directory"):
            find_files(["a.md/b.md"])

    def test_nothing_but_links(self, outside: Path) -> None:
        Path("docs").mkdir()
        Path("docs/z.md").symlink_to(outside)
        for word in WORDS:
            with pytest.raises(InvalidInput, match="is a link that leads out of"):
                find_files([word])


def _found_or_nothing(word: str) -> list[str]:
    try:
        return names(find_files([word]))
    except InvalidInput:
        return []


class TestNotRegular:
    @pytest.mark.parametrize("word", WORDS)
    def test_is_skipped(self, write: Write, word: str) -> None:
        write("docs/a.md", "a")
        os.mkfifo("docs/pipe.md")
        Path("docs/zero.md").symlink_to("/dev/zero")
        found = find_files([word])
        assert names(found) == ["docs/a.md"]
        assert "`docs/pipe.md` is a named pipe" in reasons(found)
        assert "`docs/zero.md` is a link that leads out" in reasons(found)

    @pytest.mark.parametrize("target", [None, "/dev/zero"])
    def test_rules_of_git(self, write: Write, target: str | None) -> None:
        write("docs/a.md", "a")
        if target:
            Path("docs/.gitignore").symlink_to(target)
        else:
            os.mkfifo("docs/.gitignore")
        with pytest.raises(InvalidInput, match=r"\.gitignore` can't be read: it is a"):
            find_files(["docs"])


class TestBounds:
    @pytest.mark.parametrize("word", ["d", "d/**", "d/**/*.md"])
    def test_depth(self, write: Write, word: str) -> None:
        write("d/a.md", "a")
        here = os.open("d", os.O_RDONLY)
        for _ in range(1_500):  # a path may not be as long as that
            os.mkdir("d", dir_fd=here)
            below = os.open("d", os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = below
        os.close(here)
        found = find_files([word])
        assert names(found) == ["d/a.md"]
        assert "is more than 100 directories deep" in reasons(found)
        _remove_deep("d")

    @pytest.mark.parametrize(
        "rule", ["*a" * 30 + "*b", "**/*a/" * 20 + "b", "?*" * 30 + "b", "[a]*" * 40 + "b"]
    )
    def test_rules_that_take_hours(self, write: Write, rule: str) -> None:
        folder = "d/" + "/".join(["aaaaaa"] * 30)
        for number in range(5):
            write(f"{folder}/{'a' * 200}{number}.md", "a")
        write("d/.gitignore", rule + "\n")
        assert len(expand_words(["d"])) == 5

    def test_too_many_rules(self, write: Write) -> None:
        write("d/a.md", "a")
        for content in ("*b\n" * 6_000, "# long\n" * 30_000):
            write("d/.gitignore", content)
            with pytest.raises(InvalidInput, match=r"d/\.gitignore` (has|can't)"):
                expand_words(["d"])


def _remove_deep(name: str) -> None:
    """Remove a chain of directories that is too deep for `shutil.rmtree`."""
    while True:
        top, level = Path(name), 0
        while (top / "d").is_dir() and level < 400:
            top, level = top / "d", level + 1
        if level == 0:
            return
        if level == 400:
            top.rename("rest")
            _remove_chain(Path(name))
            Path("rest").rename(name)
        else:
            _remove_chain(Path(name))
            return


def _remove_chain(top: Path) -> None:
    for parent, directories, files in os.walk(top, topdown=False):
        for file in files:
            Path(parent, file).unlink()
        for directory in directories:
            Path(parent, directory).rmdir()
    top.rmdir()


class TestVersionControl:
    @pytest.mark.parametrize("word", [".git", ".git/**", ".git/*", ".g*/*", ".git/hooks", "CVS"])
    def test_is_not_taken(self, write: Write, word: str) -> None:
        for name in (".git/config", ".git/hooks/x", "CVS/Root"):
            write(name, "token")
        with pytest.raises(InvalidInput, match="version control"):
            find_files([word])

    def test_also_not_from_a_directory(self, write: Write) -> None:
        for name in ("a.md", "CVS/Root", "sub/_darcs/x"):
            write(name, "token")
        assert names(find_files(["."])) == ["a.md"]

    def test_named_file_by_file(self, write: Write) -> None:
        write(".git/config", "x")
        assert expand_words([".git/config"]) == [Path(".git/config")]


class TestUnreadable:
    @pytest.fixture
    def closed(self, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
        """A tree with one directory that may not be read; whoever is root may read any."""
        write("docs/a.md", "words\n")
        write("docs/closed/b.md", "words\n")
        scan = os.scandir

        def refusing(path: str | Path) -> object:
            if Path(path).name == "closed":
                raise PermissionError(13, "Permission denied")
            return scan(path)

        monkeypatch.setattr(os, "scandir", refusing)

    @pytest.mark.usefixtures("closed")
    @pytest.mark.parametrize("word", ["docs", "docs/**/*.md"])
    def test_the_rest_goes_on(self, cli: Cli, server: LoopbackServer, word: str) -> None:
        ran = cli("run", "DocWriter", word)
        assert ran.code == 6
        assert "warning: `docs/closed` can't be read: Permission denied\n" in ran.stderr
        assert ran.stderr.endswith("warning: partly done: 1 place could not be read\n")
        ran = cli("run", "DocWriter", word, "--each", "-o", "out")
        assert (ran.code, Path("out/a.md").exists()) == (6, True)
        assert "`docs/closed` can't be read" in ran.stderr

    @pytest.mark.usefixtures("closed", "server")
    def test_json_tells(self, cli: Cli) -> None:
        ran = cli("run", "DocWriter", "docs", "--each", "--json")
        assert (ran.code, ran.json["files"][0]["status"]) == (6, "answered")
        assert ran.error["code"] == "partly_done"
        assert ran.error["message"] == "1 place could not be read"

    @pytest.mark.usefixtures("closed")
    def test_an_upload_needs_all(self, cli: Cli, server: LoopbackServer) -> None:
        assert cli("file", "upload", "docs", "--json").error["code"] == "unreadable"

    @pytest.mark.parametrize("store", ["openai", "local"])
    @pytest.mark.parametrize(
        "change", ["set W docs", "set W docs/a.md docs", "sync W", "add W docs"]
    )
    def test_knowledge_is_not_taken_for_gone(
        self,
        cli: Cli,
        project: LoopbackServer,
        write: Write,
        monkeypatch: pytest.MonkeyPatch,
        request: pytest.FixtureRequest,
        store: str,
        change: str,
    ) -> None:
        monkeypatch.setenv("GPTASST_STORE", store)
        write("docs/a.md", "words\n")
        write("docs/closed/b.md", "words\n")
        assert cli("assistant", "create", "W", "-i", "DocWriter", "-f", "docs").code == 0
        request.getfixturevalue("closed")
        write("docs/a.md", "more words\n")
        planned = cli("assistant", "files", *change.split(), "-n")
        assert "`docs/closed` can't be read: Permission denied" in planned.text
        ran = cli("assistant", "files", *change.split())
        assert (ran.code, "left out" in ran.stderr) == (6, False)
        assert ran.stderr.startswith("`W`: 1 replaced")
        assert "1 place could not be taken: `docs/closed` can't be read: Per" in ran.stderr
        listed = cli("assistant", "files", "list", "W", "-q")
        assert listed.lines == ["docs/a.md", "docs/closed/b.md"]

    @pytest.mark.usefixtures("closed")
    def test_an_assistant_is_made_of_the_rest(self, cli: Cli, project: LoopbackServer) -> None:
        ran = cli("assistant", "create", "W", "-i", "DocWriter", "-f", "docs")
        assert (ran.code, "`gptasst assistant files add W docs/closed`" in ran.stderr) == (6, True)
        assert cli("assistant", "files", "list", "W", "-q").lines == ["docs/a.md"]


class TestAsGitReads:
    def test_excluded_for_this_repository(self, write: Write) -> None:
        for name in ("d/a.md", "d/b.md", ".git/info/exclude"):
            write(name, "/d/b.md\n")
        assert expand_words(["d"]) == [Path("d/a.md")]

    def test_a_linked_working_tree(self, write: Write) -> None:
        write("main/.git/info/exclude", "b.md\n")
        write("main/.git/worktrees/w/commondir", "../..\n")
        write("w/.git", f"gitdir: {Path('main/.git/worktrees/w').absolute()}\n")
        for name in ("w/a.md", "w/b.md"):
            write(name, "x")
        assert expand_words(["w"]) == [Path("w/a.md")]

    @pytest.mark.parametrize("configured", [True, False])
    def test_the_users_own(
        self, write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, configured: bool
    ) -> None:
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
        monkeypatch.delenv("GIT_CONFIG_GLOBAL", raising=False)
        own = tmp_path / ("mine" if configured else ".config/git/ignore")
        own.parent.mkdir(parents=True, exist_ok=True)
        own.write_text("*.bak\n!keep.md\n")
        if configured:
            (tmp_path / ".gitconfig").write_text("[core]\nexcludesFile = ~/mine\n")
        Path(".git").mkdir()
        for name in ("d/a.bak", "d/b.md", "d/keep.md"):
            write(name, "x")
        write(".gitignore", "keep.md\n")  # comes before the user's
        assert expand_words(["d"]) == [Path("d/b.md")]

    def test_the_users_own_that_may_not_be_read(
        self, write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
        monkeypatch.setenv("HOME", str(tmp_path))
        (tmp_path / "git").mkdir()
        os.mkfifo(tmp_path / "git/ignore")
        Path(".git").mkdir()
        write("d/a.md", "x")
        assert expand_words(["d"]) == [Path("d/a.md")]
