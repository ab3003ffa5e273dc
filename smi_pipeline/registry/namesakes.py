"""Cities that have the same name at the same time: allowed, and worth a look before it is printed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import date

from smi_pipeline.registry.models import City


def namesakes(cities: Iterable[City]) -> Iterator[str]:
    """A line for each name, Chinese or English, that several cities have on the same day, in any case of letters."""
    for language in ("Chinese", "English"):
        by_name: dict[str, list[City]] = defaultdict(list)
        for city in cities:
            by_name[_name(city, language).casefold()].append(city)
        for same in by_name.values():
            together = [one for one in same if any(one is not other and _overlap(one, other) for other in same)]
            if together:
                listed = ", ".join(f"{city.city_id} ({city.name_zh}, {city.province or '-'})" for city in together)
                yield (
                    f"{_name(together[0], language)!r} is the {language} name of {len(together)} cities: {listed};"
                    " where it stands alone it is printed with what tells them apart"
                )


def _name(city: City, language: str) -> str:
    return city.name_zh if language == "Chinese" else city.name_en


def _overlap(one: City, other: City) -> bool:
    return one.valid_from < (other.valid_to or date.max) and other.valid_from < (one.valid_to or date.max)
