"""Claims in words: a whole sentence of the catalogue, its blanks filled as the language writes the claim's values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from smi_pipeline.registry.models import PLATFORMS
from smi_pipeline.report.claims import grouped
from smi_pipeline.report.content import City, Claim, Names, Place, Sentences
from smi_pipeline.report.formats import LANGUAGES, Formats, Language
from smi_pipeline.report.wording import Catalogue, catalogue

# How the value of a blank is written; one not listed is a city, cities, a platform or platforms, or a whole number.
_WRITTEN: Final[Mapping[str, Callable[[Formats, Any], str]]] = {
    "score": Formats.score,
    "places": Formats.places,
    "number": Formats.numeral,
    "within": Formats.numeral,
    "growth": Formats.spoken,
    "interactions": lambda f, value: f.counted(value, "interaction"),
    "views": lambda f, value: f.counted(value, "view"),
    "accounts": lambda f, value: f.counted(value, "account"),
    "cities_counted": lambda f, value: f.counted(value, "city"),
    "indicators_counted": lambda f, value: f.counted(value, "indicator"),
    "raters": lambda f, value: f.counted(value, "rater"),
    "engagement_rate": Formats.rate,
    "view_rate": Formats.rate,
    "coverage": Formats.percent,
    "weight": Formats.percent,
    "enter_from": Formats.whole_percent,
    "quantitative": Formats.whole_percent,
    "qualitative": Formats.whole_percent,
    "required_share": Formats.whole_percent,
    "share": Formats.percent_reached,
    "alpha": Formats.reached,
    "required_alpha": Formats.plain,
    "good_alpha": Formats.plain,
    "sd": Formats.plain,
    "interval": Formats.interval,
    "month": Formats.month,
}


class Wording:
    """Words claims in one language."""

    def __init__(self, language: Language, names: Names | None = None) -> None:
        """Cities are called as `names` has it; each by its own name alone where it is not given."""
        self._names = names or Names(language)
        self._text: Catalogue = catalogue(language)
        self._format = Formats(language)
        self._spelt: Mapping[str, Callable[[Any], str]] = {
            "index": self._index,
            "place": self._place,
            "platform": self._platform,
            "platforms": lambda codes: self._format.names([self._platform(code) for code in codes]),
            "indicators": lambda codes: self._format.names([self._text(f"indicator_{code}") for code in codes]),
            "weights": self._weights,
            "reason": lambda reasons: str(reasons[language]),
        }

    def __call__(self, claim: Claim) -> str:
        """The claim as a sentence.

        Raises:
            WordingError: the catalogue has no such sentence, or one with a blank the claim has no value for.
        """
        return self._text(claim.key, **{blank: self._written(blank, value) for blank, value in claim.values.items()})

    def _written(self, blank: str, value: Any) -> str:
        if blank in _WRITTEN:
            return _WRITTEN[blank](self._format, value)
        if blank in self._spelt:
            return self._spelt[blank](value)
        match value:
            case City():
                return self._name(value)
            case tuple():
                return self._format.names([self._name(city) for city in value])
            case str():
                return value
        return self._format.count(value)

    def _place(self, place: Place) -> str:
        return self._text("place_tied" if place.tied else "place", ordinal=self._format.ordinal(place.rank))

    def _weights(self, weights: Sequence[tuple[str, float]]) -> str:
        parts = ((self._platform(code), self._format.percent(weight)) for code, weight in weights)
        return self._format.names([self._text("composed_part", platform=name, weight=said) for name, said in parts])

    def _index(self, code: str) -> str:
        return (
            self._text("index_of", platform=self._platform(code)) if code in PLATFORMS else self._text(f"index_{code}")
        )

    def _platform(self, code: str) -> str:
        return self._text(f"platform_{code}")

    def _name(self, city: City) -> str:
        return self._names(city)


def worded(claims: Sequence[Claim], names: Mapping[Language, Names]) -> tuple[Claim, ...]:
    """The claims with their sentences in every language."""
    wordings = {language: Wording(language, names[language]) for language in LANGUAGES}
    return tuple(
        replace(claim, said={language: wording(claim) for language, wording in wordings.items()}) for claim in claims
    )


def sentences(claims: Sequence[Claim], language: Language, *, title: str | None) -> Sentences:
    """The worded claims by where they stand on a page; `title` replaces the index's own name."""
    places = {place: tuple(claim.said[language] for claim in at) for place, at in grouped(claims).items()}

    def under(prefix: str) -> dict[str, tuple[str, ...]]:
        return {
            place.removeprefix(f"{prefix}."): said for place, said in places.items() if place.startswith(f"{prefix}.")
        }

    def one(prefix: str) -> dict[str, str]:
        return {platform: said[0] for platform, said in under(prefix).items()}

    return Sentences(
        title=title or catalogue(language)("title"),
        finding=places["finding"][0],
        holes=places.get("holes", ()),
        composed=places.get("composed", ()),
        narrative=places.get("narrative", ()),
        certainty=places.get("certainty", ()),
        leaders=one("leaders"),
        highlights=one("highlights"),
        remarks=under("remarks"),
        absences=one("absences"),
        circumstances=places.get("circumstances", ()),
        gaps=places.get("gaps", ()),
    )
