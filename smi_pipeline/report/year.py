"""The year that ends with an edition: the ranks of up to twelve months, as the lake had them when it was written.

Months after the edition's are never looked at, so an edition does not change because time went on. A month before it
that was computed anew shows its new ranks in the next edition that is written, not in those already published.
"""

from __future__ import annotations

from smi_pipeline.months import Month, month_range
from smi_pipeline.registry.models import Platform
from smi_pipeline.report.content import YearMonth, YearPlace
from smi_pipeline.report.inputs import ReportInput


def year(given: ReportInput) -> tuple[YearMonth, ...]:
    """From the first computed month of the twelve to the edition's; a month that was not computed has no places."""
    computed = {Month(first): rows for (first,), rows in given.composite_year.sort("city_id").group_by("month")}
    if not computed:
        return ()
    months = []
    for month in month_range(min(computed), given.month):
        rows = computed[month].to_dicts() if month in computed else []
        withheld = month in given.withheld_months
        places = {
            row["city_id"]: YearPlace(
                row["rank"],
                None if row["rank_p05"] is None or row["rank_p95"] is None else (row["rank_p05"], row["rank_p95"]),
            )
            for row in rows
        }
        months.append(
            YearMonth(
                month,
                status=rows[0]["status"] if rows else None,
                method_version=rows[0]["method_version"] if rows else None,
                withheld=withheld,
                places={} if withheld else places,
            )
        )
    return tuple(months)


def platform_ranks(given: ReportInput) -> dict[str, dict[Month, dict[Platform, int | None]]]:
    """By city, month of the year and platform: its rank there, null where not ranked; nothing of a withheld month."""
    told: dict[str, dict[Month, dict[Platform, int | None]]] = {}
    for row in given.platform_year.sort("month", "platform", "city_id").iter_rows(named=True):
        month = Month(row["month"])
        if month not in given.withheld_months:
            told.setdefault(row["city_id"], {}).setdefault(month, {})[row["platform"]] = row["rank"]
    return told
