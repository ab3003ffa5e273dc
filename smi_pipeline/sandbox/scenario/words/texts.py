"""What a post says: sentences about its city, by kind and season, in English and now and then another language.

The same post has the same text in every run; a printed case has the words of cases.yaml.
"""

from __future__ import annotations

import csv
import random
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from smi_pipeline.sandbox.dataset import Kind
from smi_pipeline.sandbox.scenario.split import SHANGHAI, PostFigures

_HERE = Path(__file__).parent
_SEASONS = ("winter", "spring", "summer", "autumn")
_IN_ANOTHER_LANGUAGE, _WITH_EMOJI, _WITH_SEASON, _WITH_CAMPAIGN = 0.14, 0.25, 0.5, 0.55


@dataclass(frozen=True, slots=True)
class Place:
    """A sight, craft or dish of a city, in both languages."""

    english: str
    chinese: str


@dataclass(frozen=True, slots=True)
class CityNames:
    """A city as its own posts call it."""

    city_id: str
    english: str
    chinese: str

    @property
    def tag(self) -> str:
        """Its hashtag, like #XiAn."""
        return _tag(self.english)


def text(post: PostFigures, city: CityNames, handle: str, seed: int) -> str:
    """The words of a post; on YouTube the first line is the title. `handle` is its account's."""
    if post.case is not None:
        return post.case.text
    draw = random.Random(f"{seed}/{post.month}/{post.platform}/{city.city_id}/{post.number}")  # noqa: S311  made-up words
    said = _sentences()
    place = draw.choice(places()[city.city_id])
    blanks = {
        "city": _plain(city.english),
        "city_zh": city.chinese,
        "place": place.english,
        "place_zh": place.chinese,
        "link": f"https://{post.platform}.example/{handle}/{draw.randrange(1000, 9999)}",
    }
    if draw.random() < _IN_ANOTHER_LANGUAGE:
        body = draw.choice(said["others"])
    else:
        body = draw.choice(_openings(post.kind))
        if draw.random() < _WITH_SEASON:
            month = post.created_at.astimezone(SHANGHAI).month
            body += " " + draw.choice(said["seasons"][_SEASONS[month % 12 // 3]])
        body = f"{body} {draw.choice(said['closings'])}".strip()
    if draw.random() < _WITH_EMOJI:
        body += " " + draw.choice(said["emoji"])
    tags = [city.tag]
    if draw.random() < _WITH_CAMPAIGN:
        tags.append(draw.choice(said["campaigns"]))
    body = body.format_map(blanks)
    body = body[:1].upper() + body[1:]
    if post.platform == "youtube":
        return f"{draw.choice(said['titles']).format_map(blanks)}\n{body}\n{' '.join(tags)}"
    return f"{body} {' '.join(tags)}"


def edited(words: str, seed: int) -> str:
    """The same post after a second look at it."""
    closing = random.Random(f"{seed}/{words}").choice(("(Updated with opening hours.)", "(Photo credit added.)"))  # noqa: S311
    return f"{words} {closing}"


@cache
def _tag(english: str) -> str:
    parts = re.findall(r"[A-Za-z]+", re.sub(r"\(.*\)", "", english))
    return "#" + "".join(part[:1].upper() + part[1:] for part in parts)


@cache
def _plain(english: str) -> str:
    return re.sub(r" \(.*\)", "", english)


@cache
def places() -> dict[str, list[Place]]:
    """The places of each city."""
    told: dict[str, list[Place]] = {}
    with (_HERE / "places.csv").open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            told.setdefault(row["city_id"], []).append(Place(row["place_en"], row["place_zh"]))
    return told


@cache
def _openings(kind: Kind) -> list[str]:
    """The sentences of a kind and those for any post, which a question or a link is not mixed with."""
    openings: dict[str, list[str]] = _sentences()["openings"]
    return [*openings.get(kind, ()), *([] if kind in {"link", "text"} else openings["any"])]


@cache
def _sentences() -> dict[str, Any]:
    told: dict[str, Any] = yaml.safe_load((_HERE / "sentences.yaml").read_text(encoding="utf-8"))
    return told
