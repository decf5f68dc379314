"""Source code: the names that it declares, and words that programmers shorten."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence

from gptasst.knowledge.stems import stem

# The patterns are for text with blanks for tabs. They start with a line end, which is found fast.
_KEYWORD = re.compile(
    r"\n *+(?:[a-z]{2,12}+(?:\([a-z]*+\))?+ ++){0,4}"
    r"(?:def|class|function|func|fn|interface|struct|enum|trait|impl|module|protocol|object|record"
    r"|sub|type) ++(?:\([^)\n]{0,80}\) *+)?(\w+)"
)
_ASSIGNED = re.compile(r"\n *+(?:export ++)?(?:const|let|var) ++(\w+) *=")
# In one line: `int main(` at its start; `getName() {` anywhere.
_WITHOUT_KEYWORD = re.compile(
    r"(?:[\w*]{1,80} +){1,6}[*&]*(\w+) *\([^;]{0,200}$"
    r"| *(?:[\w<>\[\],.*&?:~]{1,80} +){0,8}[*&~]*(\w+) *\([^;]{0,200}\{ *$"
)
_INDENTED = frozenset(("py", "pyi", "rb", "ex", "exs", "jl", "lua", "nim"))
_SCRIPTS = frozenset(("js", "mjs", "cjs", "jsx", "ts", "tsx", "vue", "svelte"))
_BRACES = _SCRIPTS | frozenset(
    (
        "c", "cc", "cpp", "cs", "cxx", "dart", "go", "h", "hh", "hpp", "java", "kt", "kts", "m",
        "mm", "php", "pl", "pm", "rs", "scala", "sh", "swift", "zig",
    )
)  # fmt: skip
_NO_NAMES = frozenset(
    ("catch", "for", "func", "function", "if", "match", "pub", "return", "switch", "while", "with")
)


def is_code(path: str) -> bool:
    """Whether a file has source code, by its name."""
    return _suffix(path) in _INDENTED | _BRACES


def declared_names(path: str, text: str) -> str:
    """The functions, classes and types that source code declares, in order."""
    suffix = _suffix(path)
    lines = "\n" + text.replace("\t", " ")
    found: list[str] = _KEYWORD.findall(lines)
    if suffix in _BRACES:
        found += _without_keyword(lines)
    if suffix in _SCRIPTS:
        found += _ASSIGNED.findall(lines)
    return " ".join(name for name in dict.fromkeys(found) if name not in _NO_NAMES)


def _without_keyword(text: str) -> list[str]:
    # No statement follows the last bracket; and there is a body, or it is at the very start.
    likely = [
        line
        for line in text.split("\n")
        if "(" in line
        and line.rfind(";") < line.rfind("(")
        and (line[0] != " " or line.rstrip(" ")[-1] == "{")
    ]
    matches = filter(None, map(_WITHOUT_KEYWORD.match, likely))
    return [match[1] or match[2] for match in matches]


def _suffix(path: str) -> str:
    return path.rpartition(".")[2].lower()


# Each word with its short forms.
_SHORT = (
    "address addr, administrator admin, application app, argument arg args, asynchronous async,"
    " asynchronously async, attribute attr attrs, authenticate auth, authentication auth,"
    " authorization auth, average avg, buffer buf, button btn, calculate calc, character char chr,"
    " column col cols, command cmd, configuration config cfg conf, configure config, connection"
    " conn, context ctx, control ctrl, coordinate coord, current cur curr, database db, declaration"
    " decl, decrement dec, definition def, delete del, dependency dep deps, description desc,"
    " destination dest dst, development dev, dictionary dict, difference diff, directory dir,"
    " document doc, documentation doc docs, element elem, environment env, error err, execute exec,"
    " expression expr, extension ext, format fmt, function func fn, generate gen, identifier id,"
    " image img, implementation impl, increment inc, index idx, information info, initialize init,"
    " integer int, iterator iter, keyword kw kwargs, language lang, length len, library lib, list"
    " lst, maximum max, memory mem, message msg, millisecond ms, minimum min, number num, object"
    " obj, operation op, operator op, option opt opts, package pkg, parameter param params,"
    " password passwd pwd, path pth, pointer ptr, position pos, previous prev, process proc,"
    " production prod, property prop props, reference ref, regular regex, repository repo, request"
    " req, response resp, result res, second sec secs, separator sep, sequence seq, source src,"
    " specification spec, standard std, statement stmt, statistics stats, string str, synchronize"
    " sync, system sys, temporary tmp temp, text txt, transaction tx txn, utility util utils, value"
    " val, variable var, version ver, window win"
)


@functools.cache
def _pairs() -> Mapping[str, Sequence[str]]:
    found: dict[str, list[str]] = {}
    for words in _SHORT.split(","):
        full, *short = words.split()
        found.setdefault(stem(full, "porter"), []).extend(short)
        for word in short:
            found.setdefault(stem(word, "porter"), []).append(full)
    return found


def shorter_or_longer(word: str) -> Sequence[str]:
    """The short forms of a folded word, or the words that it is short for."""
    return _pairs().get(stem(word, "porter"), ()) if word.isascii() else ()
