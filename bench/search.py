"""How well and how fast knowledge is searched: `python -m bench.search [--rounds N]`.

Found: nDCG@10 over the 225 questions of Cranfield (1,400 abstracts of aerodynamics, with what
people judged relevant), by words; at least 0.385 is wanted. With `--meaning`, also by words and
meaning, with the embedded model (fetched once; its vectors take minutes, and `--home DIR` keeps
them): at least 0.435. The collection is read from `GPTASST_CRANFIELD`, else from
`../shared/data/cranfield` beside the checkout, as BEIR writes collections: `corpus.jsonl`,
`queries.jsonl`, `qrels.tsv`.

Time, in seconds of the processor: a question over 10,000 passages (at most 60 ms is wanted);
indexing 20,000 short passages as a ratio to SQLite's own FTS5 insert of them (at most 1.6); a
question beside an assistant with 100,000 passages as a ratio to one alone (at most 1.2).

Memory: the peak of `gptasst assistant create` with 172 MB of text (at most 100 MB).
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import os
import random
import sqlite3
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

from bench.measuring import peak_of, print_ratios
from gptasst.assistants.local_rows import ASSISTANTS
from gptasst.client import Client
from gptasst.knowledge.index import insert_passages, matches
from gptasst.knowledge.question import Question
from gptasst.knowledge.types import Passage
from gptasst.storage.database import Database

_ROOT = Path(__file__).parents[1]
_CRANFIELD = Path(os.environ.get("GPTASST_CRANFIELD") or _ROOT / "../shared/data/cranfield")
_RANKS = 10
_FOUND = 30  # passages that are asked for, as a document may have several
_QUESTIONS = 40
_IN_FILE = 50  # passages
_IN_LINE = 12  # words
_PEAK_TEXT = 172_000_000  # bytes
# In a process between: a new process counts the memory of the one that it was forked from.
_PEAK = (
    "import resource, subprocess, sys; subprocess.run([sys.executable, *sys.argv[1:]], check=True);"
    "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.search", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--meaning", action="store_true", help="with the embedded model, too")
    parser.add_argument("--home", type=Path, help="keep the assistants and their vectors there")
    arguments = parser.parse_args()
    if not (_CRANFIELD / "corpus.jsonl").is_file():
        sys.exit(f"no collection in {_CRANFIELD}: GPTASST_CRANFIELD=DIR says where it is")
    texts = [json.loads(line)["text"] for line in _lines("corpus.jsonl")]
    questions = {q["_id"]: q["text"] for q in map(json.loads, _lines("queries.jsonl"))}
    with tempfile.TemporaryDirectory() as work:
        home = arguments.home or Path(work) / "home"
        _measure_found(home, questions, meaning=arguments.meaning)
        asked = list(questions.values())[:_QUESTIONS]
        _measure_questions(Path(work), texts, asked, arguments.rounds)
        _measure_indexing(Path(work), texts, arguments.rounds)
        _measure_peak(Path(work), texts)


def _lines(name: str) -> list[str]:
    return (_CRANFIELD / name).read_text("utf-8").splitlines()


def _measure_found(home: Path, questions: Mapping[str, str], *, meaning: bool) -> None:
    relevant: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for line in _lines("qrels.tsv")[1:]:
        question, document, score = line.split("\t")
        relevant[question][document] = int(score)
    os.environ["GPTASST_HOME"] = str(home)
    ways = {"words": ""} | ({"words and meaning": "embedded"} if meaning else {})
    for number, (how, model) in enumerate(ways.items()):
        os.environ["GPTASST_EMBEDDING_MODEL"] = model
        name = f"Cranfield-{number}"
        with Client(profile="local") as client:
            if name not in {each.name for each in client.assistants.list()}:
                with _abstracts() as directory:
                    client.assistants.create(name, instructions="-", files=directory)
            gains = [
                _gain(_documents(client, name, text), relevant[number])
                for number, text in questions.items()
                if number in relevant
            ]
        print(f"nDCG@{_RANKS} of Cranfield by {how:29} {statistics.mean(gains):.4f}")
    del os.environ["GPTASST_EMBEDDING_MODEL"]


@contextmanager
def _abstracts() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as directory:
        for document in map(json.loads, _lines("corpus.jsonl")):
            text = f"{document['title']}\n\n{document['text']}".strip()
            if text:
                Path(directory, f"{document['_id']}.txt").write_text(text, "utf-8")
        yield directory


def _documents(client: Client, name: str, question: str) -> list[str]:
    found = client.assistants.search(name, question, limit=_FOUND)
    return list(dict.fromkeys(Path(passage.path).stem for passage in found))


def _gain(documents: Sequence[str], relevant: Mapping[str, int]) -> float:
    """The normalized discounted cumulative gain of the first documents."""
    ideal = sorted(relevant.values(), reverse=True)
    return _discounted([relevant.get(d, 0) for d in documents]) / _discounted(ideal)


def _discounted(scores: Sequence[int]) -> float:
    ranked = enumerate(scores[:_RANKS], start=2)
    return sum(score / math.log2(rank) for rank, score in ranked)


def _pieces(texts: Sequence[str], words: int, count: int) -> list[Passage]:
    """Passages of so many words each, cut from texts, the same each time."""
    chance = random.Random(1)
    every = [word for text in texts for word in text.split()]
    starts = [chance.randrange(len(every) - words) for _ in range(count)]
    return [Passage(" ".join(every[s : s + words]), "line 1") for s in starts]


def _kept(connection: sqlite3.Connection, name: str, passages: Sequence[Passage]) -> None:
    connection.execute(
        "INSERT INTO assistants (id, name, revision, created_at, updated_at)"
        " VALUES (?, ?, 1, '', '')",
        (name, name),
    )
    files = [
        (f"{name}-{number}", f"docs/{number}.md", chunk)
        for number, chunk in enumerate(_chunks(passages))
    ]
    connection.executemany(
        "INSERT INTO knowledge (id, assistant_id, path, size, sha256, added_at)"
        " VALUES (?, ?, ?, 1, '', '')",
        [(file, name, path) for file, path, _ in files],
    )
    insert_passages(connection, name, files)


def _chunks(passages: Sequence[Passage]) -> Iterator[Sequence[Passage]]:
    for start in range(0, len(passages), _IN_FILE):
        yield passages[start : start + _IN_FILE]


def _measure_questions(
    work: Path, texts: Sequence[str], questions: Sequence[str], rounds: int
) -> None:
    mine, others = _pieces(texts, 200, 10_000), _pieces(texts, 200, 100_000)
    alone, beside = Database(work / "alone", ASSISTANTS), Database(work / "beside", ASSISTANTS)
    with closing(alone), closing(beside):
        with alone.writing() as connection:
            _kept(connection, "mine", mine)
        with beside.writing() as connection:
            _kept(connection, "others", others)
            _kept(connection, "mine", mine)
        times, ratios = [], []
        for question in itertools.chain.from_iterable([questions] * rounds):
            first, second = (_seconds(_asked(each, question)) for each in (alone, beside))
            times.append(first)
            ratios.append(second / first)
    print(f"{'a question over 10,000 passages, ms':52} {1000 * statistics.median(times):.1f}")
    print_ratios("a question beside 100,000 passages / alone", ratios)


def _asked(database: Database, question: str) -> Callable[[], object]:
    def ask() -> None:
        with database.reading() as connection:
            matches(connection, "mine", Question(question), 10)

    return ask


def _measure_indexing(work: Path, texts: Sequence[str], rounds: int) -> None:
    passages = _pieces(texts, 30, 20_000)
    ratios = []
    for number in range(rounds):
        ours = Database(work / f"ours-{number}", ASSISTANTS)
        with ours.writing():
            pass
        bare = sqlite3.connect(work / f"bare-{number}", isolation_level=None)
        with closing(ours), closing(bare):
            base = _seconds(partial(_insert_bare, bare, passages))
            ratios.append(_seconds(partial(_insert_ours, ours, passages)) / base)
    print_ratios("indexing 20,000 short passages / FTS5 insert", ratios)


def _insert_bare(connection: sqlite3.Connection, passages: Sequence[Passage]) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE VIRTUAL TABLE bare USING fts5 (text)")
    connection.execute("BEGIN")
    connection.executemany("INSERT INTO bare VALUES (?)", ((p.text,) for p in passages))
    connection.execute("COMMIT")


def _insert_ours(database: Database, passages: Sequence[Passage]) -> None:
    with database.writing() as connection:
        _kept(connection, "mine", passages)


def _measure_peak(work: Path, texts: Sequence[str]) -> None:
    directory = work / "texts"
    directory.mkdir()
    words = [word for text in texts for word in text.split()]
    lines = [" ".join(words[s : s + _IN_LINE]) for s in range(0, len(words), _IN_LINE)]
    chance = random.Random(1)
    written = 0
    while written < _PEAK_TEXT:
        chosen = chance.choices(lines, k=chance.choice([300, 3000, 8000]))
        written += Path(directory, f"{written}.txt").write_text("\n".join(chosen), "utf-8")
    create = ["-m", "gptasst", "--profile", "local", "assistant", "create", "Big"]
    environment = os.environ | {"GPTASST_HOME": str(work / "peak")}
    peak = peak_of(["-c", _PEAK, *create, "-i", "DocWriter", "-f", str(directory)], environment)
    print(f"{'peak of create with 172 MB of text, MB':52} {peak:.0f}")


def _seconds(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


if __name__ == "__main__":
    main()
