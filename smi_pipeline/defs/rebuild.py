"""An edition made again: from the raw tables of its snapshot, by the code that derives any month."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from smi_pipeline.defs.derive import derive_account_month, derive_city_platform_month, derive_index
from smi_pipeline.defs.edition import Derived, Year, derived, year_before, year_sha256
from smi_pipeline.defs.inputs import Inputs, inputs_under
from smi_pipeline.defs.models import derive_intermediate
from smi_pipeline.defs.partitions import ZONE
from smi_pipeline.defs.tables import graph
from smi_pipeline.lake.connection import Lake
from smi_pipeline.lake.editions import Edition, published
from smi_pipeline.lake.export import columns_at, rows_sha256
from smi_pipeline.lake.frames import read_frame
from smi_pipeline.lake.history import raw_of
from smi_pipeline.months import Month, month_range
from smi_pipeline.report.context import report
from smi_pipeline.report.files import EditionError, contents
from smi_pipeline.report.inputs import Against
from smi_pipeline.sql.run import build_views, run_model

_RANKINGS = "marts.rankings"


@dataclass(frozen=True)
class Rebuilt:
    """An edition made again from its snapshot: its files, and which tables and files are not what they were.

    A table or file that only one of the two has differs, too.
    """

    edition: Edition
    code_version: str
    files: Mapping[str, bytes]
    differing_tables: tuple[str, ...]
    differing_files: tuple[str, ...]

    @property
    def same(self) -> bool:
        """Whether every table and every file is what it was, byte for byte."""
        return not self.differing_tables and not self.differing_files


def rebuild(lake: Lake, edition: Edition) -> Rebuilt:
    """Make an edition again from the raw tables of its snapshot, by the code that derives any month.

    Raises:
        LakeError: the snapshot is no longer there.
        EditionError: the zone is set otherwise than it was then.
    """
    now = again(lake, edition)
    files = rendered(lake, now, edition)
    return Rebuilt(
        edition,
        now.basis.code_version,
        files,
        differing_tables=differences(edition.tables, now.tables),
        differing_files=differences(edition.files, checksums(files)),
    )


def _derive_alone(
    lake: Lake, month: Month, inputs: Inputs, earlier: Year, columns: Mapping[str, Sequence[str]]
) -> Derived:
    """Derive a month in a lake that has nothing derived, with the two months before it that it looks back at."""
    build_views(lake, graph())
    with lake.read() as cursor:
        rows = cursor.execute(
            "select distinct month from raw.collection where status = 'finished' and cut <> 'snapshot'"
        ).fetchall()
    collected = {Month(first) for (first,) in rows}
    looked_at = [one for one in month_range(month.plus(-2), month) if one in collected]
    derive_intermediate(lake, looked_at)
    derive_account_month(lake, looked_at, inputs)
    derive_city_platform_month(lake, looked_at, inputs)
    derive_index(lake, [month], inputs)
    for model in graph().tables("marts"):
        run_model(lake, model, month.first)
    return derived(lake, month, inputs, earlier=earlier, columns=columns)


def again(lake: Lake, edition: Edition) -> Derived:
    """An edition's month derived once more, from the raw tables of its snapshot; see `rebuild`.

    The ranks of the months before, which charts show, are those the lake had then.
    """
    month, zone = Month(edition.month), edition.basis.zone
    if zone != ZONE.key:
        raise EditionError(f"{month} was derived in the zone {zone}, which is {ZONE.key} now; run with SMI_ZONE={zone}")
    with lake.read() as cursor:
        earlier = year_before(cursor, month, snapshot=edition.tables_snapshot)
        columns = {table: columns_at(cursor, table, edition.tables_snapshot) for table in edition.tables}
    if year_sha256(earlier) != edition.basis.inputs["year"]:
        raise EditionError(
            f"the ranks before {month} at snapshot {edition.tables_snapshot} are not those its edition {edition.number}"
            " was made with; restore the lake from a backup"
        )
    with raw_of(lake, edition.basis.snapshot) as beside:
        return _derive_alone(beside, month, inputs_under(beside, edition.basis.methods), earlier, columns)


def rendered(lake: Lake, now: Derived, edition: Edition) -> dict[str, bytes]:
    """The files of an edition: compared with the edition before it, where there is one."""
    if edition.number == 1:
        return contents(report(now.given))
    with lake.read() as cursor:
        before = published(cursor, edition.month, edition.number - 1)
        if before is None:
            raise EditionError(f"there is no edition {edition.number - 1} of {now.given.month} to compare with")
        rankings = read_frame(
            cursor,
            f"select * from {_RANKINGS} at (version => $version) where month = $month order by all",
            {"month": edition.month, "version": before.tables_snapshot},
        )
    if rows_sha256(rankings) != before.tables[_RANKINGS]:
        raise EditionError(
            f"{_RANKINGS} at snapshot {before.tables_snapshot} is not what edition {before.number} of {now.given.month}"
            " was published with; restore the lake from a backup"
        )
    against = Against(
        number=edition.number,
        draft=edition.state == "draft",
        reason=edition.reason,
        causes=before.basis.differences(now.basis),
        rankings=rankings,
        withheld=before.basis.ranks == "withheld",
    )
    return contents(report(replace(now.given, against=against)))


def checksums(files: Mapping[str, bytes]) -> dict[str, str]:
    """SHA-256 of each file."""
    return {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}


def differences(one: Mapping[str, str], other: Mapping[str, str]) -> tuple[str, ...]:
    """The names whose checksums differ, those that only one of the two has among them; sorted."""
    return tuple(name for name in sorted({*one, *other}) if one.get(name) != other.get(name))
