"""What a backfill will take: shown before anything is asked."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from rich.table import Table

from smi_pipeline.collectors.forecast import NOTHING, Forecast, forecast
from smi_pipeline.defs.inputs import current_inputs
from smi_pipeline.defs.partitions import ZONE
from smi_pipeline.defs.raw import valid_accounts
from smi_pipeline.lake.collections import Cut, Subject, accounts_left
from smi_pipeline.lake.connection import Lake
from smi_pipeline.months import Month
from smi_pipeline.registry.models import PLATFORMS, Platform
from smi_pipeline.settings import Settings

POSTS = 60.0  # of an account in a month, where the lake has none to count


Cuts = Sequence[tuple[Month, Cut, datetime]]


def expense_table(lake: Lake, settings: Settings, cuts: Cuts, platforms: Sequence[Platform], *, force: bool) -> Table:
    """Per platform: collections still to be made, requests, quota days and dollars, and all of it together.

    `cuts`: months with their cut and when it is collected, on the platforms' clock. What is there is left out.
    """
    table = Table(
        "platform", "collections", "requests", "quota days", "dollars", title="to be asked", title_justify="left"
    )
    total = NOTHING
    for platform in platforms or PLATFORMS:
        wanted = _expenses(lake, settings, cuts, platform, force=force)
        sum_ = NOTHING
        for one in wanted:
            sum_ = sum_.plus(one.forecast)
        table.add_row(platform, str(len(wanted)), *_cells(sum_))
        longest = max(total.quota_days, sum_.quota_days)  # the platforms' days pass at the same time
        total = total.plus(sum_)._replace(quota_days=longest)
    table.add_row("all", "", *_cells(total), style="bold")
    return table


def unlimited_cost(
    lake: Lake, settings: Settings, cuts: Cuts, platforms: Sequence[Platform], *, force: bool
) -> str | None:
    """What X will cost, in a sentence; null where it costs nothing, is not asked, or has a budget.

    Raises:
        RegistryError: the accounts are the sandbox's fictional ones, about which X is not asked.
    """
    asked = "x" in (platforms or PLATFORMS) and settings.files("x", "") is None and settings.x_bearer_token is not None
    if not asked or settings.is_sandbox("x") or settings.x_usd_a_month is not None:
        return None
    settings.refuse_fictional("x", current_inputs(lake, settings).registry.accounts)
    wanted = [one for one in _expenses(lake, settings, cuts, "x", force=force) if one.forecast.usd > 0]
    if not wanted:
        return None
    usd, dearest = sum(one.forecast.usd for one in wanted), max(wanted, key=lambda one: one.forecast.usd)
    months = f" for {len(wanted)} collections" if len(wanted) > 1 else ""
    return (
        f"X charges about ${usd:,.2f}{months} (a month of {dearest.accounts} accounts: ${dearest.forecast.usd:,.2f}),"
        " and no budget is set (SMI_X_USD_A_MONTH)"
    )


class _Expense(NamedTuple):
    """One collection still to be made, or what is missing of one: how many accounts, and what they take."""

    accounts: int
    forecast: Forecast


def _expenses(lake: Lake, settings: Settings, cuts: Cuts, platform: Platform, *, force: bool) -> list[_Expense]:
    accounts = current_inputs(lake, settings).registry.accounts
    posts = _posts_a_month(lake, platform)
    found = []
    for month, cut, at in cuts:
        asked = valid_accounts(accounts, platform, month)
        if not force:
            asked = accounts_left(lake, Subject(platform, month.first, cut, settings.is_sandbox(platform)), asked)
        if asked:
            months = max((at - month.start(ZONE)) / (month.end(ZONE) - month.start(ZONE)), 1.0)
            found.append(_Expense(len(asked), forecast(platform, len(asked), posts, posts * months, settings)))
    return found


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
