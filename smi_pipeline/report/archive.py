"""One page over all editions of a lake: what there is, who led, where a city stood, and the way to each."""

from __future__ import annotations

import html
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from markupsafe import Markup

from smi_pipeline.months import Month
from smi_pipeline.report import typeface
from smi_pipeline.report.content import City
from smi_pipeline.report.formats import LANGUAGES, Language
from smi_pipeline.report.pages import PAGES, city_page, environment, policy, script, style_sheet
from smi_pipeline.report.places import kept
from smi_pipeline.report.wording import catalogue

NAME: Final = "index.html"
RECORD: Final = "edition.json"  # beside the files of what is published: as what, and from what
_LEADERS: Final = 3


@dataclass(frozen=True, slots=True)
class _Edition:
    """One edition as its own report.json tells it: `top` are the names of the first three in both languages.

    Of an edition without ranks there are no first three; its finding names the leading cities. `number` is null of a
    draft; `earlier` are the numbers of the editions before it that are there.
    """

    month: str
    number: int | None
    earlier: list[int]
    status: str
    synthetic: bool
    withheld: bool
    finding: dict[Language, str]
    top: list[tuple[str, str]]
    cities: dict[str, tuple[str, str, str]]
    """Chinese name, English name and province by city id."""
    ranks: dict[str, int]
    pages: frozenset[str]
    """The cities that have pages of their own in the edition."""


@dataclass(frozen=True, slots=True)
class _City:
    """A city of any edition, named as the newest one does; `newest` is the newest edition with a page of it."""

    city_id: str
    names: tuple[str, str, str]
    newest: str | None


def write_archive(reports: Path) -> Path:
    """Write `<reports>/index.html` anew from the editions that are there; equal editions give equal bytes.

    A month's folder has its newest edition, or its draft while nothing is published; `editions/<month>/<number>` has
    every edition. A folder that is not a month or has no report.json is passed over: it is an edition in the making,
    or not ours.
    """
    editions = [edition for folder in sorted(reports.glob("????-??"), reverse=True) if (edition := _edition(folder))]
    faces = typeface.page_css(html.unescape(_page(editions, faces="")))
    aside = reports / f".{NAME}.{os.getpid()}"
    aside.write_text(_page(editions, faces=faces), encoding="utf-8")
    return aside.replace(reports / NAME)


def _edition(folder: Path) -> _Edition | None:
    try:
        month = Month.parse(folder.name)
        told: dict[str, Any] = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    except (ValueError, OSError):
        return None
    ranked = [entry for entry in told["composite"]["entries"] if entry["rank"] is not None]
    number = _number(folder)
    lake = folder.parent.parent
    return _Edition(
        month=month.key,
        number=number,
        earlier=[one for one in range(1, number or 1) if (kept(lake, month, one) / PAGES["zh"]).is_file()],
        status=told["status"],
        synthetic=told["synthetic"],
        withheld=told.get("withheld") is not None,  # editions from before there was such a thing have no key
        finding={language: told["sentences"][language]["finding"] for language in LANGUAGES},
        top=[(entry["city"]["name_zh"], entry["city"]["name_en"]) for entry in ranked[:_LEADERS]],
        cities={city["city_id"]: (city["name_zh"], city["name_en"], city["province"]) for city in told["cities"]},
        ranks={entry["city"]["city_id"]: entry["rank"] for entry in ranked},
        pages=frozenset(city["city_id"] for city in told["cities"] if (folder / _page_of(city["city_id"])).is_file()),
    )


def _page_of(city_id: str) -> str:
    return city_page(City(city_id, "", "", ""), "zh")


def _cities(editions: list[_Edition]) -> list[_City]:
    """Every city that any edition monitored, by its id."""
    names: dict[str, tuple[str, str, str]] = {}
    for edition in reversed(editions):  # the newest last: its names stand
        names |= edition.cities
    return [
        _City(
            city_id,
            names[city_id],
            next((edition.month for edition in editions if city_id in edition.pages), None),
        )
        for city_id in sorted(names)
    ]


def _number(folder: Path) -> int | None:
    """Which edition of its month a folder has; null for a draft."""
    try:
        told: dict[str, Any] = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except OSError:
        return None
    return int(told["number"])


def _page(editions: list[_Edition], *, faces: str) -> str:
    style = faces + style_sheet("zh", synthetic=any(edition.synthetic for edition in editions))
    cities = _cities(editions)
    code = script() if cities else ""
    template = environment().get_template("archive.html.j2")
    return template.render(
        editions=editions,
        cities=cities,
        city_page=lambda city_id, language: city_page(City(city_id, "", "", ""), language),
        zh=catalogue("zh"),
        en=catalogue("en"),
        policy=policy(style, code),
        script=Markup(code),  # noqa: S704  our own script, likewise
        style=Markup(style),  # noqa: S704  our own style sheet; escaping would break the hash
    )
