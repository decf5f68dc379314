# ruff: noqa: RUF001 - signs of other languages are what this is about
"""Whether bytes can only be Windows-1252: text of a Western European language in that encoding.

Every text is valid Windows-1252 in nearly any other encoding, too, and libraries that guess take
short Russian for Japanese and French for Hungarian. So this asks for what no other encoding looks
like: letters of one language's alphabet, between letters without accents, and signs where signs
stand. Whatever else there is has to be named.
"""

from __future__ import annotations

import re

# Letters beyond ASCII, in lower case.
_ALPHABETS = (
    "äöüßé",  # German
    "àâæçèéêëîïôœùûüÿ",  # French
    "áéíñóúü",  # Spanish
    "àáâãçéêíóôõúü",  # Portuguese
    "àèéìíîïòóùú",  # Italian
    "àçèéíïòóúü",  # Catalan
    "áèéëïíóöúü",  # Dutch
    "æøåéèêóôòäöà",  # Danish, Norwegian, Swedish
    "äöåšžõü",  # Finnish, Estonian
    "áéíóúýþæöð",  # Icelandic
)
_BEYOND = "À-ÖØ-öø-ÿŒœŠšŽžŸ"
_ACCENTED = re.compile(f"[{_BEYOND}]")
_LETTER = re.compile(f"[A-Za-z{_BEYOND}]")
_RUN = re.compile(f"[{_BEYOND}]{{3,}}")
_CAPITAL_INSIDE = re.compile("[a-z][À-ÖØ-ÞŒŠŽŸ]")
# Between letters there are apostrophes, dashes and hyphens, and no other signs.
_SIGN_INSIDE = re.compile(f"[A-Za-z{_BEYOND}][^\\x00-\\x7f{_BEYOND}’‘–—…·\\s\xad][A-Za-z{_BEYOND}]")
_SIGNS = frozenset(
    "«»‹›‘’“”‚„–—…•€£¥¢©®™°§´·¿¡ªº½¼¾²³¹±×÷µ¶†‡‰\xa0\xad"
)  # fmt: skip


def is_western(text: str) -> bool:
    """Whether a text that was decoded as Windows-1252 is one."""
    beyond = {character for character in text.lower() if character > "\x7f"}
    letters = {character for character in beyond if _ACCENTED.match(character)}
    if beyond - letters - _SIGNS:
        return False
    if not any(letters.issubset(alphabet) for alphabet in _ALPHABETS):
        return False
    if _RUN.search(text) or _CAPITAL_INSIDE.search(text) or _SIGN_INSIDE.search(text):
        return False
    return 2 * len(_ACCENTED.findall(text)) <= len(_LETTER.findall(text))
