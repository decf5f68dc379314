"""Candidates at the cursor: commands, options and values, from the table of commands."""

from __future__ import annotations

from gptasst.completion.names import SOURCES
from gptasst.completion.table import COMMANDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gptasst.completion.entries import CommandEntry, Option


def complete(words: list[str], current: str) -> tuple[str, list[tuple[str, str]]]:
    """Candidates for the word at the cursor.

    Args:
        words: the words between the program's name and the cursor.
        current: the typed part of the word at the cursor.

    Returns:
        `files` if a path is possible, else `words`; and each candidate with its meaning.
    """
    entry, rest = _command(words)
    options = {name: option for option in entry["options"] for name in option["names"]}
    kinds, only_arguments = _expected(entry, options, rest)
    option, equals, value = current.partition("=")
    found: list[tuple[str, str]] = []
    prefix = ""
    if current.startswith("-") and not only_arguments:
        if equals and option in options:
            prefix, current, kinds = f"{option}=", value, options[option]["value"]
        else:
            kinds = ""
            found = [(name, option["help"]) for name, option in options.items()]
    elif not kinds:
        found = list(entry["commands"].items())
    for kind in kinds.split():
        if kind in SOURCES:
            found += SOURCES[kind](words)
        elif kind.startswith("="):
            found += [(value, "") for value in kind[1:].split(",")]
    fitting = _fitting(found, current)
    return "files" if "file" in kinds.split() else "words", [(prefix + n, h) for n, h in fitting]


def _command(words: list[str]) -> tuple[CommandEntry, list[str]]:
    """The command that is being typed, and the words after its name."""
    path, rest, entry = "", list[str](), COMMANDS[""]
    value_follows = False
    for word in words:
        if not value_follows and word in entry["commands"]:
            path, rest = f"{path} {word}".strip(), []
            entry = COMMANDS[path]
        else:
            rest.append(word)
            value_follows = any(word in o["names"] and o["value"] for o in entry["options"])
    return entry, rest


def _expected(
    entry: CommandEntry, options: Mapping[str, Option], rest: list[str]
) -> tuple[str, bool]:
    """The kinds of value expected next, and whether options are impossible there."""
    waiting: str | None = None  # the value of an option without one yet
    listing: str | None = None  # the values of a list option
    position, dashes = 0, False
    for word in rest:
        if waiting is not None:
            waiting = None
        elif dashes or not word.startswith("-") or word == "-":
            position += listing is None
        else:
            dashes = word == "--"
            name, equals, _ = word.partition("=")
            option = options.get(name)
            waiting = option["value"] or None if option and not equals else None
            listing = option["value"] if option and option["many"] else None
    if waiting is not None:
        return waiting, True
    if listing is not None:
        return listing, dashes
    if position < len(entry["arguments"]):
        return entry["arguments"][position], dashes
    return (entry["arguments"][-1] if entry["many"] else ""), dashes


def _fitting(found: Iterable[tuple[str, str]], current: str) -> list[tuple[str, str]]:
    """The candidates that start with the typed text; ignoring case if none do exactly."""
    first = dict(reversed(list(found)))  # the first of two with the same name counts
    exact = [(name, help) for name, help in first.items() if name.startswith(current)]
    folded = current.casefold()
    near = [(name, help) for name, help in first.items() if name.casefold().startswith(folded)]
    return sorted(exact or near)


_BREAKS = (":", "=")


def shell_words(shell: str, given: list[str]) -> list[str]:
    """The words as a program would receive them.

    Only bash passes them unparsed. PowerShell's last word follows an `=`, because older versions
    drop empty words.
    """
    if shell == "bash":
        return [unquoted(word) for word in _joined(given)] or [""]
    if shell == "powershell" and given:
        return [*given[:-1], given[-1].removeprefix("=")]
    return given or [""]


def rest_of_word(shell: str, given: list[str], candidate: str) -> str:
    """The part of a candidate to insert: bash replaces only the text after a `:` or `=`."""
    if shell != "bash" or not given:
        return candidate
    whole = _joined(given)[-1]
    there = len(whole) if given[-1] in _BREAKS else len(whole) - len(given[-1])
    before = unquoted(whole[:there])
    return candidate.removeprefix(before)


def _joined(given: list[str]) -> list[str]:
    """Join words that bash split at `:` and `=`."""
    words: list[str] = []
    glue = False
    for word in given:
        if words and (glue or word in _BREAKS):
            words[-1] += word
        else:
            words.append(word)
        glue = word in _BREAKS
    return words


def unquoted(word: str) -> str:
    """A word without a POSIX shell's quotes, the last of which may be open."""
    plain, quote, escaped = "", "", False
    for character in word:
        if escaped:
            plain, escaped = plain + character, False
        elif character == "\\" and quote != "'":
            escaped = True
        elif character == quote:
            quote = ""
        elif not quote and character in "'\"":
            quote = character
        else:
            plain += character
    return plain
