"""What is found in the knowledge of the local store, and what is not."""

from __future__ import annotations

import itertools
import sqlite3
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gptasst.assistants.local_rows import ASSISTANTS
from gptasst.client import Client
from gptasst.errors import UsageError
from gptasst.knowledge import vectors
from gptasst.knowledge.chinese import SIMPLIFIED
from gptasst.knowledge.code_words import declared_names
from gptasst.knowledge.index import insert_passages, matches
from gptasst.knowledge.languages import language_of
from gptasst.knowledge.question import Question
from gptasst.knowledge.stems import fold
from gptasst.knowledge.types import Passage
from gptasst.knowledge.words import found_words
from gptasst.storage.database import Database
from tests.conftest import Cli, Write
from tests.loopback import LoopbackServer
from tests.loopback.outcomes import http_error
from tests.on_terminal import on_terminal

Find = Callable[[str, list[str]], list[str]]


@pytest.fixture(scope="module")
def find(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Find]:
    """Finds which of some texts, each a file of its own, match a question; best first."""
    database = Database(tmp_path_factory.mktemp("store") / "store.sqlite3", ASSISTANTS)
    numbers = itertools.count()

    def search(question: str, texts: list[str]) -> list[str]:
        assistant = f"a{next(numbers)}"
        with database.writing() as connection:
            connection.execute(
                "INSERT INTO assistants (id, name, revision, created_at, updated_at)"
                " VALUES (?, ?, 1, '', '')",
                [assistant] * 2,
            )
            files = [(f"{assistant}-{n}", f"{n}.txt", [Passage(t, "line 1")]) for n, t in
                     enumerate(texts)]  # fmt: skip
            connection.executemany(
                "INSERT INTO knowledge (id, assistant_id, path, size, sha256, added_at)"
                " VALUES (?, ?, ?, 1, '', '')",
                [(file, assistant, path) for file, path, _ in files],
            )
            insert_passages(connection, assistant, files)
            found = matches(connection, assistant, Question(question), 10)
            ids = [match.passage_id for match in found]
            kept = dict(connection.execute("SELECT id, text FROM passages").fetchall())
            return [kept[key] for key in ids]

    with closing(database):
        yield search


class TestWords:
    @given(st.text(min_size=1, max_size=20))
    @example("C++")
    @example("C#")
    @example("R")
    @example("the")
    @example("狗")
    @example("です")
    @example("สวัสดี")
    @example("कितने")
    @example("Größe")
    @example("e-mail")
    @example("3.9.1")
    @example("getUserProfile")
    @example("\ufe77")
    @settings(max_examples=60, deadline=None)
    def test_every_word_finds_a_text_that_consists_of_it(self, find: Find, text: str) -> None:
        for word in found_words(text):
            assert find(word, [word]) == [word]

    @given(st.text())
    def test_what_is_folded_is_folded(self, text: str) -> None:
        assert fold(fold(text)) == fold(text)

    def test_a_chinese_character_is_folded_in_the_same_way_beside_others(self) -> None:
        beside = [fold(f"中{chr(code)}x\u0301")[1:-1] for code in SIMPLIFIED]
        assert beside == [fold(chr(code)) for code in SIMPLIFIED]

    @pytest.mark.parametrize(
        ("question", "text"),
        [
            ("rate limiter", "class RateLimiter: ..."),
            ("RateLimiter", "the rate limiter"),
            ("max retry", "max_retry_count = 3"),
            ("maxRetryCount", "max_retry_count = 3"),
            ("configuration directory", "def cfg_dir(): ..."),
            ("msg", "the message"),
            ("user profile", "getUserProfile()"),
            ("error code 5031", "5031 disk full"),
            ("Straße", "STRASSE"),
            ("strasse", "Straße"),
            ("Größe", unicodedata.normalize("NFD", "Größe")),
            ("find", "\ufb01nd"),
            ("cooperate", "co\u00adoperate"),
            ("François", "Francois signs"),
            ("naive", "naïve"),
            ("email", "send an e-mail"),
            ("e-mail", "send an email"),
            ("database", "a data base"),
            ("1000", "1,000 users"),
            ("version 3.9.1", "since 3.9.1"),
            ("C++", "in C++ only"),
            ("退货", "产品自购买之日起七天内可以无理由退货。"),
            ("返品", "返品は七日以内です。"),
            ("환불", "환불은 칠일 이내입니다"),
            ("คืนสินค้า", "ลูกค้าคืนสินค้าได้ภายในเจ็ดวัน"),
            ("возврата", "Срок возврат товара"),
            ("Frist", "Die Rückgabefristen sind für alle Geräte in der Regel lang."),
            ("Rückgabe", "Die Rückgabefristen sind für alle Geräte in der Regel lang."),
            ("Rückgabefrist", "Die Frist für eine Rückgabe ist in der Regel nicht lang."),
            ("kündigen", "Die Kündigung ist nur zum Ende des Monats möglich, und das ist gut."),
            ("退貨政策", "产品的退货政策"),
            ("寵物", "可以带宠物"),
            ("遗失", "遺失物品請洽服務台"),
            ("リンゴの保存", "りんごは冷蔵庫に入れてください。"),
            ("りんごはいくらですか", "リンゴ三個で四百円です。"),
            ("ﾌﾟﾘﾝﾀｰ", "プリンターの用紙"),
            ("квитки", "Електронний квиток можна повернути, і це не важко."),
            ("компенсації поїздів", "Якщо поїзд запізнюється, то пасажир має право на квиток."),
            ("חופשות", "בקשה לחופשה יש להגיש שבועיים מראש."),
            ("ביטוח", "הביטוח הרפואי מכסה אשפוז."),
            ("wnioski", "Wniosek o kredyt rozpatrujemy w ciągu tygodnia, i to jest szybko."),
            ("tulosteet", "Värituloste on kaksi kertaa kalliimpi kuin tuloste."),
            ("lainaaika", "Kirjan laina-aika on neljä viikkoa, ja se on pitkä."),
            ("3250.50", "3.250,50 €"),
            ("3.250,50", "costs 3250,50"),
            ("5 000 users", "limit: 5000"),
            ("5000", "5’000 Franken"),
            ("1000000", "1,000,000 rows"),
            ("15h", "À partir de 15 h"),
            ("15 h", "dès 15h"),
            ("8 GB", "8GB of memory"),
            ("Frau Mueller", "Herr Müller kümmert sich darum, und das ist gut so."),
            ("Müller", "Mr Mueller signs"),
            ("Heizungsdefekt", "Die Heizungen und die Abflüsse sind in der Regel warm."),
            ("la chiave", "Le chiavi di riserva sono custodite dal portiere."),
            ("猫を飼ってもいいですか", "ペットは小型犬と猫に限ります。"),
            ("passwrod", "Reset your password there."),
            ("recieve", "You receive a message."),
            ("pagr", "The pager rings."),
            ("ibna", "your IBAN"),
            ("dbounce", "Debounce the button."),
            ("sabatical", "A sabbatical is unpaid."),
            ("seperate", "Use separate bins."),
            ("shakle, ratchet", "A shackle carries three tons."),
            ("شاشتي", "لا يشمل الضمان كسر الشاشة."),
            ("المدرسه", "المدرسة قريبة من البيت."),
            ("configuration", "the config file"),
            ("ev", "Bu kurallar evlerde de geçerlidir ve çok önemli."),
            ("खाते", "यह खाता सेटिंग से हटाया जा सकता है और बंद भी।"),
            ("remboursements", "Le remboursement est fait dans les dix jours pour la commande."),
        ],
    )
    def test_a_question_finds_another_spelling(self, find: Find, question: str, text: str) -> None:
        others = ["Something else entirely.", "Ganz etwas anderes ist das hier und nicht da."]
        assert find(question, [*others, text]) == [text]

    @pytest.mark.parametrize(
        "question",
        ["refunds " + "a" * 200_000, "a-" * 100_000 + " refunds", "aB" * 100_000 + " refunds",
         "refunds " + "退" * 200_000, "refunds " + "\ufdfa" * 200_000,
         " ".join(map(str, range(30_000))) + " refunds"],
        ids=["word", "hyphens", "capitals", "Chinese", "ligatures", "numbers"],
    )  # fmt: skip
    def test_a_huge_question_is_searched(self, find: Find, question: str) -> None:
        assert find(question, ["Refunds take 12 days."]) == ["Refunds take 12 days."]

    @pytest.mark.parametrize(
        ("question", "together", "apart"),
        [
            (
                "Which rate limit?",
                "The rate limit for paying users and others is set by them.",
                "The rate is for users, and the limit for others.",
            ),
            (
                "Wie hoch ist die jährliche Gebühr?",
                "Die jährliche Gebühr ist nicht hoch, und sie ist für alle gleich.",
                "Die Gebühr ist für alle gleich hoch, und sie ist eine jährliche.",
            ),
            ("退货政策", "我们的退货政策很简单。", "退货,货政,政策简单。"),
        ],
    )
    def test_words_that_stand_together_as_they_are_asked_come_first(
        self, find: Find, question: str, together: str, apart: str
    ) -> None:
        others = ["Something else entirely."] * 5
        assert find(question, [apart, *others, together])[0] == together

    @pytest.mark.parametrize(
        ("question", "text"),
        [
            ("thanks!", "Refunds take 12 days."),
            ("who are you?", "You pay what they are worth."),
            ("C++", "the C language"),
            ("what is it", "refunds"),
            ("contrast", "the contract ends"),
            ("refund", "they refused"),
            ("plant", "the plan is ready"),
            ("fill in the form", "Deliveries come from Hamburg."),
            ("three", "There is no time left."),
            ("incidence", "It stays inside."),
            ("kangaroo football shakle", "A shackle carries three tons."),
            ("version 9.9.9", "9 apples"),
            ("谢谢", "产品自购买之日起七天内可以无理由退货。"),
            ("明日の天気", "前日の夜は食事を控えてください。"),
            ("ワールドカップ", "パスワードを変更する"),
            ("พรุ่งนี้อากาศเป็นอย่างไร", "เงินจะคืนเข้าบัญชี การคืนสินค้า ต่างจังหวัดจากโรงงาน"),
            ("ありがとう", "返品は七日以内にお願いします。"),
        ],
    )
    def test_a_question_about_nothing_there_finds_nothing(
        self, find: Find, question: str, text: str
    ) -> None:
        assert find(question, [text]) == []

    @pytest.mark.parametrize(
        ("text", "language"),
        [
            ("Where is the key of my car?", "english"),
            ("Wo ist der Schlüssel?", "german"),
            ("Où est la clé de ma voiture ?", "french"),
            ("¿Dónde está la llave de mi coche?", "spanish"),
            ("Где ключ от моей машины и как его найти?", "russian"),
            ("Työt alkavat heti, mutta tulostaminen maksaa 30 senttiä sivulta.", "finnish"),
            ("Якщо поїзд запізнюється, пасажир має право на компенсацію.", "ukrainian"),
            ("退货须在七天之内提交申请,并附上购买时的发票和收据。", "chinese"),
            ("返品は七日以内にお願いします。", "japanese"),
            ("Claims over $1,000 need the approval of a director, or ten days.", "english"),
            ("%s -l -d -s: 选项必须与一个已有的文件一起使用, 否则会被忽略。", "chinese"),
            ("de la en el: 옵션은 파일과 함께 사용해야 합니다.", "korean"),
            ("RateLimiter", ""),
            ("会議", ""),
        ],
    )
    def test_a_clear_language_is_known(self, text: str, language: str) -> None:
        assert language_of(text) == language


class TestCode:
    @pytest.mark.parametrize(
        ("path", "text", "names"),
        [
            ("a.py", "class A(B):\n    async def get(self): ...\ndef top(): x(1)", "A get top"),
            ("a.c", "static int main(int n)\n{\n  if (n) {\n    foo(n);\n}", "main"),
            ("a.ts", "export const retry = (n) => n\nclass A {\n  get(x) {\n", "A get retry"),
            ("a.go", "func (s *Server) Go(a int) error {\ntype Config struct {", "Go Config"),
            ("a.rs", "pub(crate) fn parse<T>(x: T) {", "parse"),
            ("a.java", "  public static List<String> names(int a) {", "names"),
        ],
    )  # fmt: skip
    def test_declared_names_are_known(self, path: str, text: str, names: str) -> None:
        assert declared_names(path, text) == names

    def test_where_a_name_is_declared_comes_before_where_it_is_used(
        self, cli: Cli, write: Write
    ) -> None:
        write("uses.py", "wait_for_lock()\nwait_for_lock()\n")
        write("has.py", "def wait_for_lock():\n    while True:\n        pass\n")
        assert cli("assistant", "create", "W", "-i", "DocWriter", "-f", ".").code == 0
        assert cli("assistant", "search", "W", "wait for lock", "-q").stdout == b"has.py\nuses.py\n"


class TestQuestion:
    def test_the_task_leads_however_long_the_input(
        self, cli: Cli, write: Write, server: LoopbackServer
    ) -> None:
        words = [f"word{number}" for number in range(63)]
        write("style.md", "Use the Oxford comma.\n")
        write("other.md", "\n".join(words))
        write("in.txt", "\n".join(words * 2))
        assert cli("assistant", "create", "W", "-i", "DocWriter", "-f", "*.md").code == 0
        ran = cli("run", "W", "-t", "Oxford comma?", "-f", "in.txt", "--dry-run", "--json")
        assert ran.json["excerpts"][0]["path"] == "style.md"

    def test_an_earlier_turn_counts(self, cli: Cli, write: Write, server: LoopbackServer) -> None:
        write("refunds.md", "Refunds take 12 days.\n")
        assert cli("assistant", "create", "W", "-i", "DocWriter", "-f", "refunds.md").code == 0
        cli("run", "W", "-c", "-t", "How long do refunds take?")
        cli("run", "W", "-c", "-t", "Really?")
        content = server.requests[-1].json["input"][-1]["content"]
        assert any("Refunds take 12 days." in part["text"] for part in content)

    def test_nothing_found_is_said_and_nothing_is_sent(
        self, cli: Cli, write: Write, server: LoopbackServer
    ) -> None:
        for number in range(30):
            write(f"{number}.md", f"Refunds of kind {number} take {number} days.\n")
        assert cli("assistant", "create", "W", "-i", "DocWriter", "-f", "*.md").code == 0
        ran = cli("run", "W", "-t", "thanks!", "--json")
        assert len(server.requests[-1].json["input"][-1]["content"]) == 1
        assert ran.json["citations"] == []
        assert "nothing in the knowledge matches" in ran.stderr


class TestCommand:
    def test_passages_are_shown_with_place_score_and_why(self, cli: Cli, write: Write) -> None:
        write("a.md", "# Refunds\n\nRefunds take 12 days.\n")
        write("b.md", "Nothing.\n")
        assert cli("assistant", "create", "W", "-i", "DocWriter", "-f", "a.md", "b.md").code == 0
        ran = cli("assistant", "search", "W", "How long do refunds take?")
        score, path, place, why, text = ran.stdout.decode().strip().split("\t")
        assert float(score) > 0
        assert path == "a.md"
        assert place.startswith("lines 1-3")
        assert why == "words: refunds, take"
        assert text == "# Refunds Refunds take 12 days."
        found = cli("assistant", "search", "W", "refund", "--json").json["passages"]
        assert [each["text"] for each in found] == ["# Refunds\n\nRefunds take 12 days."]
        assert len(str(found[0]["score"])) <= len("0.123456")
        assert cli("assistant", "search", "W", "refund", "-q").stdout == b"a.md\n"

    def test_on_a_terminal_passages_stand_one_below_the_other(self, cli: Cli, write: Write) -> None:
        write("guides/refunds.md", f"# Refunds\n\nRefunds take 12 days. {'More words. ' * 20}\n")
        assert cli("assistant", "create", "W", "-i", "DocWriter", "-f", ".").code == 0
        ran = on_terminal("assistant", "search", "W", "refunds", NO_COLOR="1", COLUMNS="80")
        lines = ran.screen.splitlines()
        assert lines[0] == "1. guides/refunds.md"
        assert lines[1].startswith("   lines 1-3 (Refunds), score ")
        assert lines[1].endswith(", words: refunds")
        assert lines[2].startswith("   # Refunds Refunds take 12 days. More words.")
        assert max(map(len, lines)) <= 80

    def test_nothing_found_is_a_note_and_no_error(self, cli: Cli, write: Write) -> None:
        write("a.md", "Refunds take 12 days.\n")
        assert cli("assistant", "create", "W", "-i", "DocWriter", "-f", "a.md").code == 0
        ran = cli("assistant", "search", "W", "thanks!")
        assert (ran.code, ran.stdout) == (0, b"")
        assert "nothing in the knowledge of `W` matches" in ran.stderr
        assert cli("assistant", "search", "V", "thanks!").code == 3

    def test_an_empty_question_and_empty_knowledge_are_told_apart(self, cli: Cli) -> None:
        assert cli("assistant", "create", "W", "-i", "DocWriter").code == 0
        ran = cli("assistant", "search", "W", " ")
        assert ran.code == 2
        assert "the question is empty" in ran.stderr
        ran = cli("assistant", "search", "W", "refunds")
        assert (ran.code, ran.stdout) == (0, b"")
        assert (
            "`W` has no knowledge; `gptasst assistant files add W FILE...` adds some" in ran.stderr
        )

    def test_a_question_without_quotes_is_printed_with_them(self, cli: Cli) -> None:
        assert cli("assistant", "create", "W", "-i", "DocWriter").code == 0
        ran = cli("assistant", "search", "W", "who's", "paying", "--limit", "2", "--json")
        assert (ran.code, ran.error["code"]) == (2, "usage")
        assert ran.error["hint"] == (
            """quote it: `gptasst assistant search W 'who'"'"'s paying'`"""
        )

    @pytest.mark.parametrize(
        ("question", "limit"), [(None, 10), (7, 10), ("alpha", "3"), ("alpha", 0), ("alpha", None)]
    )
    def test_arguments_in_python_are_checked(
        self, cli: Cli, question: object, limit: object
    ) -> None:
        assert cli("assistant", "create", "W", "-i", "DocWriter").code == 0
        with Client() as client, pytest.raises(UsageError, match="must be"):
            client.assistants.search("W", question, limit=limit)  # type: ignore[arg-type]

    def test_a_place_that_has_its_heading_does_not_repeat_it(self, cli: Cli, write: Write) -> None:
        write("a.html", "<h1>Travel</h1><p>The hotel is near.</p>")
        assert cli("assistant", "create", "W", "-i", "DocWriter", "-f", "a.html").code == 0
        ran = cli("assistant", "search", "W", "hotel")
        assert b"\tsection Travel\t" in ran.stdout

    def test_as_many_as_are_wanted(self, cli: Cli, write: Write) -> None:
        for number in range(5):
            write(f"{number}.md", "Refunds take days.\n")
        assert cli("assistant", "create", "W", "-i", "DocWriter", "-f", "*.md").code == 0
        ran = cli("assistant", "search", "W", "refunds", "--limit", "2", "-q")
        assert ran.stdout == b"0.md\n1.md\n"
        assert cli("assistant", "search", "W", "refunds", "--limit", "0").code == 2

    def test_headings_and_paths_are_searched(self, cli: Cli, write: Write) -> None:
        write("linux/setup.md", "# Zeppelin\n\nType make.\n" + "More words. " * 300)
        write("other.md", "Type make.\n")
        assert cli("assistant", "create", "W", "-i", "DocWriter", "-f", ".").code == 0
        found = cli("assistant", "search", "W", "linux", "--json").json["passages"]
        assert {each["path"] for each in found} == {"linux/setup.md"}
        assert len(found) > 1

    def test_from_python(self, cli: Cli, write: Write) -> None:
        write("a.md", "Refunds take 12 days.\n")
        assert cli("assistant", "create", "W", "-i", "DocWriter", "-f", "a.md").code == 0
        with Client() as client:
            (found,) = client.assistants.search("W", "refund", limit=3)
        assert (found.path, found.place, found.words) == ("a.md", "line 1", ("refund",))


@pytest.fixture
def embeddings(monkeypatch: pytest.MonkeyPatch, server: LoopbackServer) -> LoopbackServer:
    """The server's `/v1/embeddings` makes vectors of knowledge."""
    monkeypatch.setenv("GPTASST_EMBEDDING_MODEL", "mean-1")
    return server


def _embedded(server: LoopbackServer) -> list[str]:
    asked = [r.json for r in server.requests if r.path == "/v1/embeddings"]
    return [text for body in asked for text in body["input"]]


class TestMeaning:
    def test_passages_without_a_word_of_the_question_are_found(
        self, cli: Cli, write: Write, embeddings: LoopbackServer
    ) -> None:
        write("a.md", "mend vehicle\n")
        write("b.md", "bake bread\n")
        assert cli("assistant", "create", "W", "-i", "DocWriter", "-f", "a.md", "b.md").code == 0
        (found,) = cli("assistant", "search", "W", "repair automobile", "--json").json["passages"]
        assert (found["path"], found["words"]) == ("a.md", [])
        assert found["similarity"] == pytest.approx(1)
        ran = cli("assistant", "search", "W", "repair automobile")
        assert "meaning: 1.00" in ran.stdout.decode()

    @pytest.mark.parametrize(
        ("question", "text", "found"),
        [
            ("repair automobile", "mend vehicle", True),
            ("repair of the automobile", "The vehicle is mended here. 2024-01-01", True),
            ("Wie kann ich das automobile repair?", "Das vehicle ist hier, und es ist gut.", False),
            ("repair 明天天气怎么样", "mend 退货须在七天之内提交申请。", False),
            ("AX-7 9999", "9998", False),
        ],
    )
    def test_a_model_for_english_finds_nothing_for_questions_in_other_languages(
        self,
        cli: Cli,
        write: Write,
        embeddings: LoopbackServer,
        monkeypatch: pytest.MonkeyPatch,
        question: str,
        text: str,
        found: bool,
    ) -> None:
        """Where it knows little, all texts are about as similar."""
        monkeypatch.setattr("gptasst.context.server._ServerEmbedder.only_english", True)
        monkeypatch.setattr(vectors, "_LEAST_SIMILARITY", -1)
        write("a.md", text)
        assert cli("assistant", "create", "W", "-i", "DocWriter", "-f", "a.md").code == 0
        ran = cli("assistant", "search", "W", question, "--json")
        assert bool(ran.json["passages"]) == found
        monkeypatch.setattr("gptasst.context.server._ServerEmbedder.only_english", False)
        assert cli("assistant", "search", "W", question, "--json").json["passages"]

    def test_a_content_gets_its_vector_once(
        self, cli: Cli, write: Write, embeddings: LoopbackServer
    ) -> None:
        for number in range(70):
            write(f"{number}.md", f"text of {number}\n")
        assert cli("assistant", "create", "W", "-i", "DocWriter", "-f", "*.md").code == 0
        assert sorted(_embedded(embeddings)) == sorted(f"text of {n}" for n in range(70))
        assert cli("assistant", "create", "V", "-i", "DocWriter", "-f", "*.md").code == 0
        write("0.md", "something new\n")
        assert cli("assistant", "files", "add", "W", "0.md").code == 0
        assert _embedded(embeddings)[70:] == ["something new"]

    def test_words_are_searched_until_vectors_are_there(
        self,
        cli: Cli,
        write: Write,
        embeddings: LoopbackServer,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        write("a.md", "mend vehicle\n")
        monkeypatch.delenv("GPTASST_EMBEDDING_MODEL")
        assert cli("assistant", "create", "W", "-i", "DocWriter", "-f", "a.md").code == 0
        monkeypatch.setenv("GPTASST_EMBEDDING_MODEL", "mean-1")
        assert cli("assistant", "search", "W", "vehicle", "-q").stdout == b"a.md\n"
        assert _embedded(embeddings) == []
        assert cli("assistant", "files", "add", "W", "a.md").code == 0
        assert _embedded(embeddings) == ["mend vehicle"]
        assert cli("assistant", "search", "W", "automobile", "-q").stdout == b"a.md\n"

    def test_where_questions_cannot_be_embedded_words_are_searched(
        self, cli: Cli, write: Write, embeddings: LoopbackServer
    ) -> None:
        write("a.md", "mend vehicle\n")
        assert cli("assistant", "create", "W", "-i", "DocWriter", "-f", "a.md").code == 0
        embeddings.disturb("POST", "/v1/embeddings", http_error(400, message="no room"))
        ran = cli("assistant", "search", "W", "the vehicle", "-q")
        assert (ran.code, ran.stdout) == (0, b"a.md\n")
        embeddings.disturb("POST", "/v1/embeddings", http_error(400, message="no room"))
        ran = cli("assistant", "search", "W", "the vehicle")
        assert ran.stderr.startswith("searched by words only, as `mean-1` can't embed: ")
        assert ran.stderr.endswith("no room\n")

    def test_what_was_made_before_an_interruption_is_kept(
        self, cli: Cli, write: Write, embeddings: LoopbackServer
    ) -> None:
        for number in range(70):
            write(f"{number}.md", f"text of {number}\n")
        embeddings.disturb("POST", "/v1/embeddings", http_error(400), skip=1)
        ran = cli("assistant", "create", "W", "-i", "DocWriter", "-f", "*.md", "--json")
        assert ran.code != 0
        assert ran.error["hint"].endswith(
            "`W` is stored, and its knowledge is searched by words;"
            " `gptasst assistant files sync W` tries again"
        )
        made = _embedded(embeddings)[:32]
        assert cli("assistant", "search", "W", "text of 69", "-q").stdout.startswith(b"69.md")
        asked = len(_embedded(embeddings))
        assert cli("assistant", "files", "sync", "W").code == 0
        rest = _embedded(embeddings)[asked:]
        assert len(rest) == 38
        assert sorted(made + rest) == sorted(f"text of {n}" for n in range(70))

    def test_the_nearest_of_many_are_found_by_their_signs(
        self,
        cli: Cli,
        write: Write,
        embeddings: LoopbackServer,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(vectors, "_COMPARED", 5)
        for number in range(40):
            write(f"{number}.md", f"number{number} of{number} others{number}\n")
        write("a.md", "mend vehicle\n")
        assert cli("assistant", "create", "W", "-i", "DocWriter", "-f", "*.md").code == 0
        found = cli("assistant", "search", "W", "repair automobile", "--json").json["passages"]
        assert (found[0]["path"], found[0]["similarity"]) == ("a.md", pytest.approx(1))

    def test_vectors_of_an_earlier_version_are_compared(
        self, cli: Cli, write: Write, embeddings: LoopbackServer, home: Path
    ) -> None:
        write("a.md", "mend vehicle\n")
        write("b.md", "bake bread\n")
        assert cli("assistant", "create", "W", "-i", "DocWriter", "-f", "a.md", "b.md").code == 0
        (path,) = home.rglob("assistants.sqlite3")
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("UPDATE vectors SET signs = NULL")
        assert cli("assistant", "search", "W", "repair automobile", "-q").stdout == b"a.md\n"
