"""What the terminal shows of a lake: which months are where, and who leads."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from smi_pipeline.defs.inputs import edition_rule
from smi_pipeline.lake.connection import Lake, LakeError
from smi_pipeline.lake.derived import months_there
from smi_pipeline.lake.editions import Edition, draft, editions, published
from smi_pipeline.lake.inputs import stored_inputs
from smi_pipeline.months import Month
from smi_pipeline.registry.models import PLATFORMS
from smi_pipeline.report.places import current, drafts
from smi_pipeline.report.rankings import COMPOSITE, NAME_LENGTH
from smi_pipeline.report.untrusted import clean
from smi_pipeline.report.withheld import drawn

TOP = 10
_STATE = {"finished": "", "running": " (broken off)", "deferred": " (deferred)", "failed": " (failed)"}


def status_table(lake: Lake) -> Table:
    """One row a month: each platform's newest collection as answered/asked, whether it is scored and published."""
    table = Table("month", *PLATFORMS, "scored", "report", title=str(lake.path), title_justify="left")
    with lake.read() as cursor:
        rows = cursor.execute(
            "select month, platform, cut, status, accounts_answered, accounts_asked from raw.collection"
            " where cut <> 'snapshot'"
            " qualify row_number() over (partition by month, platform order by collection_id desc) = 1"
        ).fetchall()
        months = sorted({Month(first) for first, *_ in rows})
        scored = months_there(cursor, "index.composite", [month.first for month in months])
        recorded = editions(cursor)
    cells = {(Month(first), platform): _cell(*state) for first, platform, *state in rows}
    for month in months:
        table.add_row(
            month.key,
            *(cells.get((month, platform), "-") for platform in PLATFORMS),
            "yes" if month.first in scored else "no",
            _report([one for one in recorded if one.month == month.first], current(lake.path, month) / "index.html"),
        )
    return table


def report_lines(lake: Lake, month: Month) -> list[str]:
    """Where a month's report is, whether it is published, and what publishes it."""
    with lake.read() as cursor:
        newest, found = published(cursor, month.first), draft(cursor, month.first)
    page = current(lake.path, month) / "index.html"
    if newest is None:
        return [f"report: {page}", f"a draft; `smi publish {month}` publishes it"]
    if found is None:
        return [f"report: {page}", f"edition {newest.number}, published"]
    return [
        f"edition {newest.number} is published and stays as it is: {page}",
        f"draft of edition {found.number}: {drafts(lake.path, month) / 'index.html'}",
        f"`smi restate {month} --reason TEXT` publishes it",
    ]


def top_table(lake: Lake, month: Month) -> RenderableType:
    """The composite's first ten of a month with their change against the month before.

    Where the edition withholds the ranks, so does the table: the ten in the edition's random order, and why so.

    Raises:
        LakeError: the month is not ranked.
    """
    with lake.read() as cursor:
        if not months_there(cursor, "index.composite", [month.first]):
            raise LakeError(f"{month} is not scored in {lake.path}; run `smi run {month}`")
        rows = cursor.execute(
            "select city_id, if(name_zh = name_en, name_en, name_zh || ' ' || name_en), c.rank, c.score, c.rank_change,"
            " c.status, c.method_version from index.composite as c"
            " join index.city as city using (month, city_id) where c.month = $1 and c.rank <= $2"
            " order by c.rank, c.city_id",
            [month.first, TOP],
        ).fetchall()
    status, version = rows[0][-2:] if rows else ("nothing ranked", "")
    rule = edition_rule(stored_inputs(lake), month)
    if rule is not None and rule.ranks == "withheld":
        names = {city_id: name for city_id, name, *_ in rows}
        table = Table("city")
        for city_id in drawn(names, month=month, version=version, index_name=COMPOSITE):
            table.add_row(_plain(names[city_id]))
        # Beside the table, which is narrow: a title or caption of it would be broken to its width.
        title = Text(f"Composite {month} ({status}): the leading cities in random order", style="table.title")
        return Group(title, table, Text(f"Ranks and scores are withheld: {rule.reason_en}"))
    table = Table(
        "rank", "city", "score", "change", title=f"Composite ranking {month} ({status})", title_justify="left"
    )
    for _, name, rank, score, change, *_ in rows:
        table.add_row(str(rank), _plain(name), f"{score:.2f}", _change(change))
    return table


def _plain(name: str) -> Text:
    """A name as it stands: nothing in it colours, links or reorders the line."""
    return Text(clean(name, length=2 * NAME_LENGTH))


def _report(of_month: Sequence[Edition], page: Path) -> str:
    if not of_month and page.exists():  # from before editions were recorded
        return "draft"
    newest = [f"edition {one.number}" for one in of_month if one.state == "published"][-1:]
    return ", ".join((*newest, *("draft" for one in of_month if one.state == "draft"))) or "-"


def _cell(cut: str, status: str, answered: int, asked: int) -> str:
    return f"{cut} {answered}/{asked}{_STATE[status]}"


def _change(change: int | None) -> str:
    if change is None:
        return "-"
    return "=" if change == 0 else f"{'▲' if change > 0 else '▼'} {abs(change)}"
