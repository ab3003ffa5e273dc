"""What a backfill will take: shown before anything is asked."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from rich.table import Table

from smi_pipeline.collectors.forecast import NOTHING, Forecast, forecast
from smi_pipeline.defs.inputs import current_inputs
from smi_pipeline.defs.partitions import ZONE
from smi_pipeline.defs.raw import valid_accounts
from smi_pipeline.lake.collections import Cut
from smi_pipeline.lake.connection import Lake
from smi_pipeline.months import Month
from smi_pipeline.registry.models import PLATFORMS, Platform
from smi_pipeline.settings import Settings

POSTS = 60.0  # of an account in a month, where the lake has none to count


def expense_table(
    lake: Lake,
    settings: Settings,
    cuts: Sequence[tuple[Month, Cut, datetime]],
    platforms: Sequence[Platform],
    *,
    force: bool,
) -> Table:
    """Per platform: collections still to be made, requests, quota days and dollars, and all of it together.

    `cuts`: months with their cut and when it is collected, on the platforms' clock. Those that are there are left out.
    """
    accounts = current_inputs(lake, settings).registry.accounts
    with lake.read() as cursor:
        there = set(
            cursor.execute(
                "select platform, month, cut from raw.collection where status = 'finished' and cut <> 'snapshot'"
            ).fetchall()
        )
    table = Table(
        "platform", "collections", "requests", "quota days", "dollars", title="to be asked", title_justify="left"
    )
    total = NOTHING
    for platform in platforms or PLATFORMS:
        posts = _posts_a_month(lake, platform)
        wanted = [one for one in cuts if force or (platform, one[0].first, one[1]) not in there]
        sum_, number = NOTHING, 0
        for month, _, at in wanted:
            asked = len(valid_accounts(accounts, platform, month))
            if asked:
                months = max((at - month.start(ZONE)) / (month.end(ZONE) - month.start(ZONE)), 1.0)
                sum_, number = sum_.plus(forecast(platform, asked, posts, posts * months, settings)), number + 1
        table.add_row(platform, str(number), *_cells(sum_))
        longest = max(total.quota_days, sum_.quota_days)  # the platforms' days pass at the same time
        total = total.plus(sum_)._replace(quota_days=longest)
    table.add_row("all", "", *_cells(total), style="bold")
    return table


def _posts_a_month(lake: Lake, platform: Platform) -> float:
    """Posts of an account in a month, by what the lake has of the platform; a guess where it has nothing."""
    with lake.read() as cursor:
        [[posts, accounts]] = cursor.execute(
            f"select (select count(*) from raw.{platform}_posts), sum(accounts_answered) from raw.collection"
            " where platform = $1 and cut <> 'snapshot'",
            [platform],
        ).fetchall()
    return posts / accounts if accounts else POSTS


def _cells(asked: Forecast) -> tuple[str, str, str]:
    days = f"{max(asked.quota_days, 0.1):.1f}" if asked.quota_days else "-"
    return f"{asked.requests:,}", days, f"{asked.usd:,.2f}" if asked.usd else "-"
