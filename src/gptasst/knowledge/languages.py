"""Detect a text's language, know its common words, and stem words."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Callable

# Invisible characters: soft hyphen, zero-width and bidirectional marks, variation selectors. The
# tatweel only stretches an Arabic word.
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u0640\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufe00-\ufe0f\ufeff]"
)

# Accents, except those that make a different Cyrillic letter (й, ї, ў); then vowel signs, which
# are optional in Hebrew and Arabic.
_MARKS = re.compile(
    "(?<![\u0400-\u052f])[\u0300-\u036f]+|[\u0300\u0301]"
    "|[\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u064b-\u0655\u0670]"
)

_DIGIT = re.compile(r"[^\W\D]")

# Letters that Unicode does not decompose, with their usual replacement.
_FOLDED = str.maketrans(
    {
        "ø": "o", "ł": "l", "đ": "d", "ħ": "h", "ŧ": "t", "ı": "i", "æ": "ae", "œ": "oe", "ð": "d",
        "þ": "th", "ё": "е", "ٱ": "ا", "ى": "ي",
    }
)  # fmt: skip


def visible(text: str) -> str:
    """Text without invisible characters, in normal form NFKC."""
    if text.isascii():
        return text
    return unicodedata.normalize("NFKC", _INVISIBLE.sub("", text))


def fold(text: str) -> str:
    """Text without case and accents, to compare words.

    `Größe`, `GRÖSSE` and `grosse` are the same, and so are `ﬁnd` and `find`, `５` and `5`.
    """
    if text.isascii():
        return text.lower()
    folded = visible(visible(text).casefold()).translate(_FOLDED)
    folded = _MARKS.sub("", unicodedata.normalize("NFD", folded))
    folded = _DIGIT.sub(_ascii_digit, folded)
    return unicodedata.normalize("NFC", folded)


def _ascii_digit(match: re.Match[str]) -> str:
    return str(unicodedata.digit(match.group()))


# The most frequent words of each language, mostly without accents. They distinguish languages and
# are irrelevant for search.
_COMMON = {
    "english": (
        "a an and are as at be been but by can could did do does for from had has have he her his"
        " how i if in into is it its me more my no not of on or our out please she should so some"
        " tell than that the their them then there these they this to up was we were what when"
        " where which who why will with would you your"
    ),
    "german": (
        "aber als am an auch auf aus bei bin bis bitte das dass dem den der des die dir doch du"
        " durch ein eine einem einen einer eines er es fur gibt habe haben hat ich ihr im in ist ja"
        " kann konnen man mein mich mir mit muss nach nicht noch nur ob oder sein sich sie sind so"
        " uber um und uns unter vom von vor wann war warum was welche welcher welches wenn wer"
        " werden wie wir wird wo zu zum zur"
    ),
    "french": (
        "a ai au aux avec ce ces cette combien comment dans de des du elle en est et etre faut il"
        " ils je la le les leur lui ma mais me mes mon ne nos notre nous on ont ou par pas peut"
        " plus pour quand que quel quelle quelles quels qui quoi sa sans se ses si son sont sur ta"
        " te tu un une vos votre vous y"
    ),
    "spanish": (
        "a al como con cual cuales cuando cuanto cuantos cuanta de del desde donde el ella en entre"
        " es esta estan este esto hay la las le les lo los mas me mi muy no nos o para pero por"
        " porque puede que quien se ser si sin sobre son su sus te tiene tu un una unos y ya"
    ),
    "italian": (
        "a ai al alla alle anche che chi ci come con cosa da dal dalla dei del della delle di dove"
        " e essere gli ha hanno ho i il in io la le lo ma mi ne nel nella non o per perche piu puo"
        " qual quale quali quando quanto quanti se si sono su sul sulla ti tra tu un una uno"
    ),
    "portuguese": (
        "a ao aos as com como da das de do dos e ela ele em entre essa esse esta este eu foi ha"
        " isso ja la mais mas me mesmo meu minha muito na nao nas no nos o onde os ou para pela"
        " pelo pode por qual quais quando quanto quantos que quem se sem ser seu sua so sao tem um"
        " uma voce"
    ),
    "dutch": (
        "aan als ben bij dan dat de deze die dit door een en er geen haar had heb hebben heeft het"
        " hij hoe ik in is je kan maar me met mijn moet naar niet nog nu of om onder ook op over"
        " te tot uit uw van veel voor waar wanneer waarom was wat we welke werd wie wij worden"
        " wordt ze zich zijn zo"
    ),
    "swedish": (
        "alla att av de den det dig din du efter ej eller en er ett fran far for ha han har hon hur"
        " i inte jag kan man med men mig min mycket maste nar och om pa sa ska sig sin som till ut"
        " vad var vi vid vilka vilken vilket ar"
    ),
    "norwegian": (
        "at av da de den der det din du eller en er et etter for fra fa han har hun hva hvem hvilke"
        " hvilken hvis hvor hvordan hvorfor i ikke jeg kan ma man med men meg min nar og om oss pa"
        " sa seg skal som til var ved vi vil"
    ),
    "danish": (
        "af at da de dem den der det dig din du efter eller en er et for fra fa han har hun hvad"
        " hvem hvilke hvilken hvis hvor hvordan hvorfor i ikke jeg kan man med men mig min nar"
        " nogle og om os pa sa sig skal som til var ved vi vil"
    ),
    "finnish": (
        "ei eli en etta han ja jos joka jotka kanssa kuin kuinka kun kuka me mika mika mina minka"
        " milloin missa mita mutta myos ne ne niin nyt olen olet oli olla on ovat se sen sina"
        " siita tai tama te voi voiko"
    ),
    "polish": (
        "a aby ale bardzo bez byc byl co czy dla do gdy gdzie i ich ile ja jak jaka jaki jakie jest"
        " jesli juz kiedy kto ktora ktory ktore ma mi mnie moge moze mozna na nie o od oraz po pod"
        " przez przy sa sie ta tak te tego ten to tym w we z za ze"
    ),
    "czech": (
        "a aby ale ani az bez by byl byt co do i ja jak jaka jake jaky je jeho jejich jen jeste ji"
        " jsem jsou k kde kdo kdy ktera ktere ktery kolik ma mezi mi muze na nebo neni od po pod"
        " podle pro proc pri s se si ta tak take ten to u uz v ve z za ze"
    ),
    "hungarian": (
        "a az be csak de egy egyes el es ez ezt fel ha hany hogy hogyan hol is ki kell lehet meg"
        " melyik mennyi mert mi mikor milyen mint minden mit nem o sem szamara van vannak vagy"
        " volt"
    ),
    "romanian": (
        "a al ale am ar are as au ca care cand cat ce cel cele cine cu cum da dar de din este eu"
        " fi fie in la le mai mea nu o pe pentru poate prin sa sau se si sunt un una unde unei"
        " unui va"
    ),
    "turkish": (
        "ama bir bu bunu cok da daha de degil diye en gibi hangi icin ile ise kac kadar ki kim mi"
        " mu nasil ne neden nerede olan olarak olur ve veya var ya zaman"
    ),
    "russian": (
        "а без бы был быть в вам вас вы где да для до его ее если есть же за и из или их к как"
        " какая какие какой ко когда кто ли мне мои можно мы на надо не нет но о об он она они от"
        " по под после при про с сколько со так такое то только ты у уже чем что чтобы это этот я"
    ),
    "ukrainian": (
        "а або але без був бути в ви вам де для до його є за з і й із їх коли який яка яке які як"
        " мені можна ми на не ні про по при та так те то треба у хто це цей чи чому що щоб я"
    ),
    "greek": (
        "αν απο για δεν εγω ειναι ενα ενας εχει η θα και με μια μου να ο οι οπως οταν ποια ποιο"
        " ποιος ποσα ποσες ποσο ποτε που πως σε στη στην στο στον τα την της τι τις το τον του"
        " τους των"
    ),
    "arabic": (
        "أن إلى الى التي الذي او أو ان في على عن كم كيف كان لا لم لن ليس ما ماذا متى من هذا هذه هل"
        " هو هي و ولا يمكن أين"
    ),
    "hindi": (
        "और का की के को क्या क्यों कब कहाँ कौन कितने कितना कैसे है हैं हो था थी थे ने में से पर"
        " भी यह वह ये वे एक लिए तो ही नहीं कि या जो मैं हम आप"
    ),
    # For scripts without an alphabet, they are pairs of characters, as in the index.
    "chinese": (
        "什么 怎么 如何 可以 是否 多少 哪里 哪些 为什 我们 你们 他们 这个 那个 請問 请问 一个 以及"
        " 我的 你的"
    ),
    "japanese": "です ます した する して いる ある ない なに 何で どの どう から まで こと もの",
    "korean": "어떻 떻게 무엇 엇인 얼마 습니 니다 니까 인가 가요 나요 하나 는지 세요 입니",
}  # fmt: skip
COMMON = {language: frozenset(fold(words).split()) for language, words in _COMMON.items()}

# Stemmers for alphabets that mostly belong to one language; others are not harmed.
_SCRIPTS = (
    (re.compile("[а-яё]"), "russian"),
    (re.compile("[α-ω]"), "greek"),
    (re.compile("[ء-ي]"), "arabic"),
    (re.compile("[ऀ-ॿ]"), "hindi"),
    (re.compile("[அ-ஹ]"), "tamil"),
    (re.compile("[ա-ֆ]"), "armenian"),
)
# Letters that only one of these languages has; each counts like a common word.
_LETTERS = {
    "german": "ß", "turkish": "ğış", "spanish": "ñ¿¡", "hungarian": "őű", "polish": "ąęłśźż",
    "czech": "ěřů", "portuguese": "ãõ", "romanian": "ășț", "french": "œ", "ukrainian": "їєґі",
    "russian": "ыэъё", "vietnamese": "ơư",
}  # fmt: skip
_LANGUAGE_OF_LETTER = {letter: name for name, letters in _LETTERS.items() for letter in letters}
_CLEAR = 2  # different common words or letters that identify a language
_EXAMINED = 1500  # characters of text to check
# ASCII characters outside of words. Splitting at them is three times as fast as a pattern.
_SEPARATORS = str.maketrans(
    {code: " " for code in range(128) if not (chr(code).isalnum() or chr(code) == "_")}
)


_LANGUAGES_OF: dict[str, list[str]] = {}
for _language, _words in COMMON.items():
    for _word in _words:
        _LANGUAGES_OF.setdefault(_word, []).append(_language)


def language_of(text: str) -> str:
    """The clear language of a text, by common words and letters; else an empty string."""
    found: dict[str, int] = {}
    if not text.isascii():
        for letter in _LANGUAGE_OF_LETTER.keys() & set(text[:_EXAMINED].lower()):
            language = _LANGUAGE_OF_LETTER[letter]
            found[language] = found.get(language, 0) + 1
    folded = fold(text[:_EXAMINED])
    ascii_only = folded.isascii()
    words = folded.translate(_SEPARATORS).split() if ascii_only else re.findall(r"\w+", folded)
    for word in _LANGUAGES_OF.keys() & words:
        for language in _LANGUAGES_OF[word]:
            found[language] = found.get(language, 0) + 1
    (most, language), (second, _) = sorted(
        [(count, language) for language, count in found.items()] + [(0, ""), (0, "")], reverse=True
    )[:2]
    return language if most >= _CLEAR and most > second else ""


def common_words(languages: frozenset[str]) -> frozenset[str]:
    return frozenset().union(*(COMMON.get(language, frozenset()) for language in languages))


@functools.cache
def _stemmer(language: str) -> Callable[[str], str] | None:
    import Stemmer

    if language not in Stemmer.algorithms():
        return None
    stem: Callable[[str], str] = Stemmer.Stemmer(language, 0).stemWord
    return stem


def has_endings(language: str) -> bool:
    """Whether words of a language are stemmed here.

    English stemming happens in the index itself, for all languages.
    """
    return language not in ("", "english") and _stemmer(language) is not None


def stem(word: str, language: str) -> str:
    """A folded word, stemmed. Its alphabet has precedence over the language."""
    if word.isascii():
        chosen = language if language != "english" else ""
    else:
        script = next((name for letters, name in _SCRIPTS if letters.match(word)), None)
        chosen = script or language
    found = _stemmer(chosen) if chosen else None
    return found(word) if found else word


def accented_stem(word: str, language: str) -> str:
    """A word stemmed before folding; empty if accents don't matter.

    Endings have accents in many languages: `devolução`, `devoluções`.
    """
    if word.isascii() or not language:
        return ""
    return fold(stem(word.lower(), language))
