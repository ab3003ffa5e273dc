"""The message catalogues: whole sentences per language, under the same keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib import resources
from typing import cast

import yaml

from smi_pipeline.report.formats import Formats, Language


class WordingError(LookupError):
    """A catalogue has no such text, or a text has a blank nothing was given for."""


@dataclass(frozen=True)
class Catalogue:
    """One language's texts. A text is plain: whoever prints it escapes it."""

    language: Language
    texts: Mapping[str, str]

    def __call__(self, key: str, **blanks: object) -> str:
        """The text of `key` with its {blanks} filled.

        Raises:
            WordingError: the key is not in the catalogue, or a blank was not given.
        """
        if key not in self.texts:
            raise WordingError(f"texts/{self.language}.yaml: expected a text {key!r}, there is none")
        try:
            return self.texts[key].format_map(blanks)
        except KeyError as error:
            raise WordingError(f"texts/{self.language}.yaml, {key}: nothing was given for {error.args[0]!r}") from None

    def or_code(self, prefix: str, code: str) -> str:
        """The text of `<prefix>_<code>`; the code itself where it has none.

        For values other rooms may add to (flags, outcomes): a new one must show up on the page, unworded, not break it.
        """
        return self.texts.get(f"{prefix}_{code}", code)


@cache
def catalogue(language: Language) -> Catalogue:
    """The bundled catalogue of a language."""
    text = (resources.files("smi_pipeline.report") / "texts" / f"{language}.yaml").read_text(encoding="utf-8")
    return Catalogue(language, cast("dict[str, str]", yaml.safe_load(text)))


def counted(first: date | None, last: date | None, language: Language) -> str:
    """The day, or the first and the last, on which an edition was counted; empty where nothing was."""
    if first is None or last is None:
        return ""
    formats = Formats(language)
    if first == last:
        return formats.day(last)
    return catalogue(language)("range", low=formats.day(first), high=formats.day(last))
