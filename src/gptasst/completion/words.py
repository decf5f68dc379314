"""From the words that a shell hands over to the words that were meant."""

from __future__ import annotations

_BREAKS = (":", "=")


def shell_words(shell: str, given: list[str]) -> list[str]:
    """The words as a program would get them.

    Of the shells only bash hands them over raw. PowerShell's last one follows an `=`, since its
    older versions pass no empty words on.
    """
    if shell == "bash":
        return [unquoted(word) for word in _joined(given)] or [""]
    if shell == "powershell" and given:
        return [*given[:-1], given[-1].removeprefix("=")]
    return given or [""]


def rest_of_word(shell: str, given: list[str], candidate: str) -> str:
    """What of a candidate belongs at the cursor: bash replaces only what follows a `:` or `=`."""
    if shell != "bash" or not given:
        return candidate
    whole = _joined(given)[-1]
    there = len(whole) if given[-1] in _BREAKS else len(whole) - len(given[-1])
    before = unquoted(whole[:there])
    return candidate.removeprefix(before)


def _joined(given: list[str]) -> list[str]:
    """In bash, words break at `:` and `=`, each of which becomes a word."""
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
    """A word without a POSIX shell's quotes, of which the last may still be open."""
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
