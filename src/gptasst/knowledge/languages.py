"""Detect a text's language, and know its common words."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Collection, Mapping

from gptasst.knowledge.stems import fold

# The most frequent words of each language, mostly without accents. They distinguish languages and
# are irrelevant for search.
_COMMON = {
    "english": (
        "a an and are as at be been but by can could did do does for from had has have he her his"
        " how i if in into is it its me more my no not of on or our out please she should so some"
        " tell than that the their them then there these they this to up was we were what when"
        " where which who why will with would you your hello hi thank thanks"
    ),
    "german": (
        "aber als am an auch auf aus bei bin bis bitte das dass dem den der des die dir doch du"
        " durch ein eine einem einen einer eines er es fur gibt habe haben hat ich ihr im in ist ja"
        " kann konnen man mein mich mir mit muss nach nicht noch nur ob oder sein sich sie sind so"
        " uber um und uns unter vom von vor wann war warum was welche welcher welches wenn wer"
        " werden wie wir wird wo zu zum zur danke hallo"
    ),
    "french": (
        "a ai au aux avec ce ces cette combien comment dans de des du elle en est et etre faut il"
        " ils je la le les leur lui ma mais me mes mon ne nos notre nous on ont ou par pas peut"
        " plus pour quand que quel quelle quelles quels qui quoi sa sans se ses si son sont sur ta"
        " te tu un une vos votre vous y bonjour merci"
    ),
    "spanish": (
        "a al como con cual cuales cuando cuanto cuantos cuanta de del desde donde el ella en"
        " entre es esta estan este esto hay la las le les lo los mas me mi muy no nos o para pero"
        " por porque puede que quien se ser si sin sobre son su sus te tiene tu un una unos y ya"
        " gracias hola"
    ),
    "italian": (
        "a ai al alla alle anche che chi ci come con cosa da dal dalla dei del della delle di dove"
        " e essere gli ha hanno ho i il in io la le lo ma mi ne nel nella non o per perche piu puo"
        " qual quale quali quando quanto quanti se si sono su sul sulla ti tra tu un una uno ciao"
        " grazie"
    ),
    "portuguese": (
        "a ao aos as com como da das de do dos e ela ele em entre essa esse esta este eu foi ha"
        " isso ja la mais mas me mesmo meu minha muito na nao nas no nos o onde os ou para pela"
        " pelo pode por qual quais quando quanto quantos que quem se sem ser seu sua so sao tem um"
        " uma voce obrigada obrigado ola"
    ),
    "dutch": (
        "aan als ben bij dan dat de deze die dit door een en er geen haar had heb hebben heeft het"
        " hij hoe ik in is je kan maar me met mijn moet naar niet nog nu of om onder ook op over te"
        " tot uit uw van veel voor waar wanneer waarom was wat we welke werd wie wij worden wordt"
        " ze zich zijn zo dank hallo"
    ),
    "swedish": (
        "alla att av de den det dig din du efter ej eller en er ett fran far for ha han har hon"
        " hur i inte jag kan man med men mig min mycket maste nar och om pa sa ska sig sin som till"
        " ut vad var vi vid vilka vilken vilket ar hej tack"
    ),
    "norwegian": (
        "at av da de den der det din du eller en er et etter for fra fa han har hun hva hvem"
        " hvilke hvilken hvis hvor hvordan hvorfor i ikke jeg kan ma man med men meg min nar og om"
        " oss pa sa seg skal som til var ved vi vil hei takk"
    ),
    "danish": (
        "af at da de dem den der det dig din du efter eller en er et for fra fa han har hun hvad"
        " hvem hvilke hvilken hvis hvor hvordan hvorfor i ikke jeg kan man med men mig min nar"
        " nogle og om os pa sa sig skal som til var ved vi vil hej tak"
    ),
    "finnish": (
        "ei eli en etta han ja jos joka jotka kanssa kuin kuinka kun kuka me mika mika mina minka"
        " milloin missa mita mutta myos ne ne niin nyt olen olet oli olla on ovat se sen sina siita"
        " tai tama te voi voiko hei kiitos"
    ),
    "polish": (
        "a aby ale bardzo bez byc byl co czy dla do gdy gdzie i ich ile ja jak jaka jaki jakie"
        " jest jesli juz kiedy kto ktora ktory ktore ma mi mnie moge moze mozna na nie o od oraz po"
        " pod przez przy sa sie ta tak te tego ten to tym w we z za ze dziekuje"
    ),
    "czech": (
        "a aby ale ani az bez by byl byt co do i ja jak jaka jake jaky je jeho jejich jen jeste ji"
        " jsem jsou k kde kdo kdy ktera ktere ktery kolik ma mezi mi muze na nebo neni od po pod"
        " podle pro proc pri s se si ta tak take ten to u uz v ve z za ze dekuji"
    ),
    "hungarian": (
        "a az be csak de egy egyes el es ez ezt fel ha hany hogy hogyan hol is ki kell lehet meg"
        " melyik mennyi mert mi mikor milyen mint minden mit nem o sem szamara van vannak vagy volt"
        " koszonom"
    ),
    "romanian": (
        "a al ale am ar are as au ca care cand cat ce cel cele cine cu cum da dar de din este eu"
        " fi fie in la le mai mea nu o pe pentru poate prin sa sau se si sunt un una unde unei unui"
        " va multumesc"
    ),
    "turkish": (
        "ama bir bu bunu cok da daha de degil diye en gibi hangi icin ile ise kac kadar ki kim mi"
        " mu nasil ne neden nerede olan olarak olur ve veya var ya zaman merhaba tesekkurler"
    ),
    "russian": (
        "а без бы был быть в вам вас вы где да для до его ее если есть же за и из или их к как"
        " какая какие какой ко когда кто ли мне мои можно мы на надо не нет но о об он она они от"
        " по под после при про с сколько со так такое то только ты у уже чем что чтобы это этот я"
        " привет спасибо"
    ),
    "ukrainian": (
        "а або але без був бути в ви вам де для до його є за з і й із їх коли який яка яке які як"
        " мені можна ми на не ні про по при та так те то треба у хто це цей чи чому що щоб я дякую"
    ),
    "greek": (
        "αν απο για δεν εγω ειναι ενα ενας εχει η θα και με μια μου να ο οι οπως οταν ποια ποιο"
        " ποιος ποσα ποσες ποσο ποτε που πως σε στη στην στο στον τα την της τι τις το τον του τους"
        " των ευχαριστω"
    ),
    "arabic": (
        "أن إلى الى التي الذي او أو ان في على عن كم كيف كان لا لم لن ليس ما ماذا متى من هذا هذه هل"
        " هو هي و ولا يمكن أين شكرا"
    ),
    "hindi": (
        "और का की के को क्या क्यों कब कहाँ कौन कितने कितना कैसे है हैं हो था थी थे ने में से पर भी"
        " यह वह ये वे एक लिए तो ही नहीं कि या जो मैं हम आप धन्यवाद नमस्ते"
    ),
    "bulgarian": (
        "а ако без беше в да до за защо и из или има как каква какво какъв кога когато което който"
        " която които коя къде ли между ми много може на не него ни но от по под при с са се си"
        " след със така те това този той ще"
    ),
    "slovak": (
        "a aby ako ale alebo ani asi az bez bol bola bolo bude by byt co do ho ich je jeho kde"
        " kedy kolko ktora ktore ktory ku ma mam medzi mi moze mozem na nie o od po pod podla pre"
        " preco pri sa si som su ta tak to tu u uz v vo z za ze"
    ),
    "croatian": (
        "a ako ali bez bi bih biti da do gdje ga i ili iz ja je jer jesu kad kada kako koja koje"
        " koji koliko li me mi moze mogu na ne nego o od po pod pri s sa se smo sto su sve ta taj"
        " te to u uz za zasto"
    ),
    "catalan": (
        "a al als amb com de del dels des el els en entre es esta ha hi i jo la les li mes meu"
        " no o on per pero perque pot quan quant quants que qui quin quina se si son te un una"
        " unes uns"
    ),
    "indonesian": (
        "ada adalah agar akan apa apakah atau bagaimana bagi berapa bisa dan dapat dari dengan di"
        " dalam harus ini itu jika kami kapan karena ke kepada mana oleh pada saya sebagai setelah"
        " siapa tidak untuk yang kasih terima"
    ),
    "vietnamese": (
        "ai bao bi cac cai cho co cua cung da dau de den di duoc gi hay khi khong la lam lau nao"
        " nay neu nhung nhu o ra sao sau se tai the thi tren trong tu va vao ve voi cam"
    ),
    "persian": (
        "آن از است ای این با باید بر برای به تا چه چرا چگونه چند خود در را شد شود شما که کجا کی ما"
        " من می نمی نیست و ها های هر هم یا یک ممنون"
    ),
    "hebrew": (
        "אבל או אז איך איפה אילו אין אל אם אני את אתה באיזה גם האם הוא היא הם זה זאת כל כמה כן לא"
        " לי לו למה מה מי מתי על עם של שלי יש היכן כדי תודה"
    ),
    # For scripts without an alphabet, they are pairs of characters, as in the index.
    "chinese": (
        "什么 怎么 如何 可以 是否 多少 哪里 哪些 为什 我们 你们 他们 这个 那个 請問 请问 一个 以及"
        " 我的 你的 谢谢"
    ),
    "japanese": "です ます した する して いる ある ない なに 何で どの どう から まで こと もの",
    "korean": "어떻 떻게 무엇 엇인 얼마 습니 니다 니까 인가 가요 나요 하나 는지 세요 입니",
}  # fmt: skip
COMMON = {language: frozenset(fold(words).split()) for language, words in _COMMON.items()}

# Further frequent words; they are relevant for search.
_TELLING = {
    "english": (
        "about after all also any another because before between both each every first get into"
        " made make many may might must need new off one only other over own same such take takes"
        " than through two under until use used using very via want were within without"
    ),
    "german": (
        "alle bereits beim dies dieser dort erst etwas gegen ihre immer innerhalb jede jeder jedes"
        " jetzt mehr neue ohne schon sehr sofort soll sowie wurde zwei zwischen"
    ),
    "french": (
        "afin apres aucun autre avant chaque chez deux doit donc elles entre fait ici jour jours"
        " peuvent puis sera seront sous tous tout toute toutes"
    ),
    "spanish": (
        "antes cada despues dos durante hacer hasta menos mismo otro otros pueden sera si sino sido"
        " solo tambien tienen todo todos tras"
    ),
    "italian": (
        "ancora anni anno dopo due essere fino ogni oppure possono prima propria puo senza sempre"
        " si solo stato tra tutti tutto viene vengono"
    ),
    "portuguese": (
        "ainda antes ate cada depois deve dois durante entre fazer podem ser sera sobre tambem"
        " todos todas vai"
    ),
    "dutch": (
        "alle binnen daarna drie eerste elke geven gaat hier iedere kunt mag meer minstens nieuwe"
        " sinds tegen tijdens toch tussen twee vanaf zonder zodat"
    ),
    "swedish": (
        "aldrig andra bara blir bli bor dar dessa detta fler flera fore hela hos igen inom innan"
        " ingen kommer mellan mot nu ocksa samma sedan senast skall under utan varje varit"
    ),
    "finnish": (
        "aikana ajan ennen heti hyvin ilman itse jalkeen joita jonka jos kaikki kaksi kautta kello"
        " kertaa kolme kuluessa kuten lisaksi mennessa mukaan myos nama ovat paivassa pitaa saa"
        " saada seka taytyy tai taman tulee uusi vain viela viikon yksi yli"
    ),
    "polish": (
        "aby bedzie byly jego jednak jej juz kazdy ktorych lub musi nalezy nie niz przed raz"
        " rowniez sa swoje tego tylko trzeba tym wiecej wszystkie"
    ),
    "czech": (
        "behem budou bude dalsi dva jako kdyz lze musi nebo nez pak pokud pouze pred rovnez svuj"
        " tento tri vas vsech vsechny zpet"
    ),
    "hungarian": (
        "akkor alatt altal azt belul egyik elott ez ezek illetve itt kapcsolatban kapni kerul ket"
        " kozott lesz mar masik mindig nagyon naponta ott pedig sok szerint tobb utan vagy"
    ),
    "romanian": (
        "acest aceasta acestea alte doar doi doua dupa fara fiecare fost inainte intre numai toate"
        " toti trebuie"
    ),
    "turkish": (
        "ancak aylik ayni baska bes biri birlikte bunlar fazla gereken gerekir gore her hic iki ilk"
        " kendi onu oncesinde once sadece sonra tarafindan tum uzere vardir yapilir yeni yilda"
    ),
    "danish": (
        "alle blev bliver dette disse hver hvert inden ingen kun mellem meget mod noget skal uden"
        " under vaere"
    ),
    "norwegian": (
        "alle ble blir dette disse hver hvert innen ingen kun mellom mot mye noe skal uten under"
        " vaere"
    ),
}
# Endings of words, for languages with few common words.
_ENDINGS = {
    "finnish": "sta ssa lla lta lle een iin ksi tta mme nut neet aan jen",
    "hungarian": "ban ben nak nek ert bol val vel hoz hez nal nel ott ett",
    "turkish": "lar ler nin nun dir dur mak mek iyor lir nda nde",
}
# Letters that only one of these languages has; each counts like a common word.
_LETTERS = {
    "german": "ß", "turkish": "ğış", "spanish": "ñ¿¡", "hungarian": "őű", "polish": "ąęłśźż",
    "czech": "ěřů", "portuguese": "ãõ", "romanian": "ășț", "french": "œ", "ukrainian": "їєґі",
    "russian": "ыэъё", "slovak": "ľĺŕ", "persian": "پچژگ",
    "vietnamese": "ơưạảấầẩẫậắằẳẵặẹẻẽếềểễệỉĩịọỏốồổỗộớờởỡợụủũứừửữựỳỵỷỹ",
}  # fmt: skip
_LANGUAGE_OF_LETTER = {letter: name for name, letters in _LETTERS.items() for letter in letters}
# Scripts that mostly belong to one language, those with exceptions first.
_SCRIPTS = (
    (re.compile("[\u3040-\u30ff]"), "japanese"),
    (re.compile("[\uac00-\ud7a3]"), "korean"),
    (re.compile("[\u4e00-\u9fff]"), "chinese"),
    (re.compile("[\u0e00-\u0e7f]"), "thai"),
    (re.compile("[א-ת]"), "hebrew"),
    (re.compile("[α-ω]"), "greek"),
    (re.compile("[ऀ-ॿ]"), "hindi"),
    (re.compile("[ء-ي]"), "arabic"),
    (re.compile("[а-я]"), "russian"),
)
_OTHER_SCRIPT = re.compile("[\u0370-\u0fff\u3040-\ud7ff]")
_SHARED = frozenset(("chinese", "arabic", "russian"))  # with a script of other languages, too
_CLEAR_LETTERS = 12
_KANA_SHARE = 10  # of so many characters of a Japanese text, at least one is Kana
_CLEAR = 2  # different common words or letters that identify a language
_EXAMINED = 1500  # characters of text to check
_LONG = 5  # letters of words with endings
# ASCII characters outside of words. Splitting at them is three times as fast as a pattern.
_SEPARATORS = str.maketrans(
    {code: " " for code in range(128) if not (chr(code).isalnum() or chr(code) == "_")}
)


_LANGUAGES_OF: dict[str, list[str]] = {}
for _lists in (COMMON, {name: fold(words).split() for name, words in _TELLING.items()}):
    for _language, _words in _lists.items():
        for _word in _words:
            if _language not in _LANGUAGES_OF.setdefault(_word, []):
                _LANGUAGES_OF[_word].append(_language)


def language_of(text: str, among: Collection[str] = ()) -> str:
    """The clear language of a text, by common words and letters; else an empty string.

    `among` are likely languages: fewer words make one of them clear.
    """
    text = text[:_EXAMINED]
    folded = fold(text)
    ascii_only = folded.isascii()
    words = set(folded.translate(_SEPARATORS).split() if ascii_only else re.findall(r"\w+", folded))
    script = "" if ascii_only else _by_script(folded)
    if script:  # command names and the like
        words = {word for word in words if not word.isascii()}
    found: dict[str, list[float]] = {}
    if not text.isascii():
        for letter in _LANGUAGE_OF_LETTER.keys() & set(text.lower()):
            found.setdefault(_LANGUAGE_OF_LETTER[letter], []).append(1)
    shortest = 2 if text.isascii() else 1  # code has many names of one letter
    for word in [word for word in _LANGUAGES_OF.keys() & words if len(word) >= shortest]:
        languages = _LANGUAGES_OF[word]
        for language in languages:
            found.setdefault(language, []).append(1 / len(languages))
    clear = _clearest(found)
    if not clear:
        clear = script or _by_endings(words, found)
    if not clear and among:
        likely = {name: found[name] for name in found if name in among or name == "english"}
        clear = _clearest(likely, least=1)
    return clear


def is_english(text: str, among: Collection[str]) -> bool:
    """Whether a text consists of words that are likely to be English.

    `among` are likely languages, any if it is empty.
    """
    text = fold(text[:_EXAMINED])
    letters = sum(1 for character in text if character.isascii() and character.isalpha())
    if 2 * letters < len("".join(text.split())):
        return False
    spoken = language_of(text, among)
    return spoken == "english" or (not spoken and (not among or "english" in among))


def _clearest(found: Mapping[str, list[float]], least: int = _CLEAR) -> str:
    """The language with the most words, each shared by the languages that have it."""
    shares = {language: math.fsum(each) for language, each in found.items() if len(each) >= least}
    most = max(shares.values(), default=0)
    best = [language for language, share in shares.items() if share == most]
    return best[0] if len(best) == 1 else ""


def _by_script(folded: str) -> str:
    """The language of a script in which most of a text is written."""
    if not _OTHER_SCRIPT.search(folded):
        return ""
    letters = sum(map(str.isalpha, folded))
    shares = {language: len(script.findall(folded)) for script, language in _SCRIPTS}
    if shares["japanese"] * _KANA_SHARE > shares["chinese"]:
        shares["japanese"] += shares["chinese"]
    language = max(shares, key=shares.__getitem__)
    short = language in _SHARED and letters < _CLEAR_LETTERS
    return language if shares[language] * 2 > letters and not short else ""


def _by_endings(words: set[str], found: dict[str, list[float]]) -> str:
    ends = {word[-3:] for word in words if len(word) > _LONG}
    for language, endings in _ENDINGS.items():
        more = [1.0] * len(ends.intersection(endings.split()))
        found[language] = found.get(language, []) + more
    return _clearest(found)


@functools.lru_cache(maxsize=64)
def common_words(languages: frozenset[str]) -> frozenset[str]:
    return frozenset().union(*(COMMON.get(language, frozenset()) for language in languages))
