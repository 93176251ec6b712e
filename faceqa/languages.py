"""The languages that faceqa speaks."""

from __future__ import annotations

from typing import Literal, NamedTuple

Language = Literal["en", "ko"]

LANGUAGES: tuple[Language, ...] = ("en", "ko")


class Words(NamedTuple):
    """The same words in each of `LANGUAGES`."""

    en: str
    ko: str

    def in_language(self, language: Language) -> str:
        """The words in one language."""
        return self[LANGUAGES.index(language)]
