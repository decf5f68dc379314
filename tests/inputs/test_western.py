# ruff: noqa: RUF001 - signs of other languages are what this is about
"""Which bytes are taken for Windows-1252 without being told."""

from __future__ import annotations

import pytest

from gptasst.inputs.encoding import is_western

WESTERN = [
    "Le café est fermé, où êtes-vous passée ? Œuvre « ici », L’ÉTÉ À GENÈVE\n",
    "Grüße aus München. Die Straße ist gesperrt, über Ärger reden wir später.\n",
    "Größe: 5 €\n",
    "caf\u00e9",
    "He said “hello” – and it’s fine… 5 m², 20°C, ½ cup, £5, ©\n",
    "¿Dónde está el niño? ¡Mañana!",
    "não, coração, você às três",
    "Rødgrød med fløde på øen",
    "Hyvää päivää, tämä on hyvä.",
    "Það er gott veður í dag, þú ert hér.",
]
OTHERS = [
    ("Zażółć gęślą jaźń. Dzień dobry, proszę o kawę i ciastko.\n", "cp1250"),
    ("Dobrý den, jak se máte? Těším se.", "cp1250"),
    ("Jó napot kívánok, őszinte köszönet, hűvös idő", "cp1250"),
    ("Bună ziua, şi ţară, mâine", "cp1250"),
    ("Günaydın, nasılsınız? Şimdi çok güzel bir gün.\n", "cp1254"),
    ("Срок возврата семь дней.\n", "koi8-r"),
    ("Срок возврата семь дней.\n", "cp1251"),
    ("退货期限为七天。", "gbk"),
    ("version 中 is here, a long English text with one 中文 character\n", "gbk"),
    ("a中b\n", "gbk"),
    ("the テスト value of one\n", "shift_jis"),
    ("返品は七日以内です。\n", "euc_jp"),
    ("退貨期限為七天。", "big5"),
    ("반품 기한은 7일입니다.\n", "euc_kr"),
    ("Καλημέρα, η επιστροφή\n", "iso8859-7"),
    ("5 €\n", "iso8859-15"),
    ("schön und gut, caf\u00e9\n", "cp437"),
    ("schön und gut, caf\u00e9\n", "mac_roman"),
]


@pytest.mark.parametrize("text", WESTERN)
def test_western(text: str) -> None:
    assert is_western(text)


@pytest.mark.parametrize(("text", "encoding"), OTHERS)
def test_others(text: str, encoding: str) -> None:
    assert not is_western(text.encode(encoding).decode("windows-1252", "replace"))
