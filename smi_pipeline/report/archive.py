"""One page over all editions of a lake: what there is, who led, and the way to each."""

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
from smi_pipeline.report.formats import LANGUAGES, Language
from smi_pipeline.report.pages import PAGES, environment, policy, style_sheet
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
    )


def _number(folder: Path) -> int | None:
    """Which edition of its month a folder has; null for a draft."""
    try:
        told: dict[str, Any] = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except OSError:
        return None
    return int(told["number"])


def _page(editions: list[_Edition], *, faces: str) -> str:
    style = faces + style_sheet("zh", synthetic=any(edition.synthetic for edition in editions))
    template = environment("zh").get_template("archive.html.j2")
    return template.render(
        editions=editions,
        zh=catalogue("zh"),
        en=catalogue("en"),
        policy=policy(style, ""),
        style=Markup(style),  # noqa: S704  our own style sheet; escaping would break the hash
    )
