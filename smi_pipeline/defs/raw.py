"""Five raw assets, one a platform: what it says about a month's accounts and posts.

A month whose cut is collected already is not asked about again unless `force` is set. Which cut a run takes follows
from the day it runs, or is given: the sandbox's months are collected at both.
"""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, date, datetime
from functools import partial
from typing import Any, cast, get_args

import dagster as dg
import polars as pl

from smi_pipeline.collectors.collect import collector
from smi_pipeline.collectors.http import Wire
from smi_pipeline.collectors.records import READ, CollectionError, Collector
from smi_pipeline.defs.failures import told_clearly
from smi_pipeline.defs.inputs import current_inputs
from smi_pipeline.defs.interrupt import run_async
from smi_pipeline.defs.partitions import MONTHS, ZONE, month_of
from smi_pipeline.defs.preview import month_metadata, shown_table
from smi_pipeline.defs.runs import pool_of
from smi_pipeline.defs.tables import INPUT_FILE, graph, raw_metadata, table_metadata
from smi_pipeline.lake.collections import Cut, moved_posts, spent_on
from smi_pipeline.lake.connection import Lake
from smi_pipeline.lake.ingest import Opened, Summary, collect_month
from smi_pipeline.lake.reparse import reparse_month
from smi_pipeline.months import FINAL_DAY, Month
from smi_pipeline.registry.models import PLATFORMS, Account, Platform
from smi_pipeline.settings import Settings, Source, ignored_settings, settings

OWNERS = ["team:data-engineering"]


class CollectConfig(dg.Config):
    """How to collect.

    `cut`: provisional or final, by the day of the run when not given. `force`: ask again. `reparse`: ask nothing, and
    read the payloads of the newest collection again.
    """

    cut: str | None = None
    force: bool = False
    reparse: bool = False


def cut_of(month: Month, given: str | None, now: datetime) -> Cut:
    """The cut a run at `now` takes.

    Raises:
        CollectionError: the month is not over, or the given cut is not one.
    """
    if given is not None and given not in get_args(Cut):
        raise CollectionError(f"cut is provisional or final, not {given!r}")
    if now < month.end(ZONE):
        raise CollectionError(f"{month} is not over in {ZONE}; it can be collected from {month.next}-01 on")
    if given is not None:
        return cast("Cut", given)
    return "final" if now >= month.cut(ZONE, FINAL_DAY) else "provisional"


def valid_accounts(accounts: Sequence[Account], platform: Platform, month: Month) -> list[Account]:
    """The platform's accounts that were official on any day of the month."""
    return accounts_between(accounts, platform, month.first, month.next.first)


def accounts_between(accounts: Sequence[Account], platform: Platform, first: date, after: date) -> list[Account]:
    """The platform's accounts that were official on any day of [first, after), each by its last row of those days."""
    found: dict[str, Account] = {}
    for account in accounts:
        if account.platform != platform or account.valid_from >= after:
            continue
        if account.valid_to is not None and account.valid_to <= first:
            continue
        before = found.get(account.account_id)
        if before is None or before.valid_from < account.valid_from:
            found[account.account_id] = account
    return list(found.values())


async def _collect(
    lake: Lake, now: Settings, month: Month, cut: Cut, accounts: Sequence[Account], *, platform: Platform, force: bool
) -> Summary:
    return await collect_month(
        lake,
        platform,
        opener(lake, now, platform, accounts, month.key),
        month,
        ZONE,
        cut,
        accounts,
        synthetic=now.is_sandbox(platform),
        force=force,
        source=source_of(now, platform),
    )


def source_of(now: Settings, platform: Platform) -> Source:
    """Whether a platform's API is asked or a vendor's files are read."""
    return "api" if now.files(platform, "") is None else "files"


def warn_of_ignored_settings(context: dg.AssetExecutionContext) -> None:
    """Name in the run's log what is set and has no effect, such as a misspelt limit."""
    for line in ignored_settings():
        context.log.warning(line)


def opener(lake: Lake, now: Settings, platform: Platform, accounts: Sequence[Account], period: str) -> Opened:
    """What makes a platform's collector once there is something to ask; all processes on a lake share its rates."""
    files = now.files(platform, period)

    def opened() -> AbstractAsyncContextManager[Collector]:
        if files is None:
            now.refuse_fictional(platform, accounts)
        clock = None if now.is_sandbox(platform) else partial(datetime.now, UTC)
        return collector(platform, now, wire=Wire(rates=lake.path / ".rates.sqlite", clock=clock), files=files)

    return opened


def asking_metadata(lake: Lake, summary: Summary, *, sandbox: bool) -> dict[str, Any]:
    """What the UI shows of an asking; it draws every number over the partitions. The sandbox costs nothing."""
    units, records, usd = spent_on(lake, summary.collection_id or "")
    first = pl.DataFrame(summary.first_posts, infer_schema_length=None)
    return {
        "dagster/partition_row_count": summary.posts,
        "cut": summary.cut,
        "collection": summary.collection_id or "",
        "requests": summary.requests,
        "fewest requests": summary.least,
        "quota units": units,
        "quota records": records,
        "dollars at most": 0.0 if sandbox else usd,
        "accounts asked": summary.asked,
        "coverage": sum(summary.outcomes.get(one, 0) for one in READ) / summary.asked if summary.asked else 1.0,
        "accounts by outcome": dg.MetadataValue.json(summary.outcomes),
        "values rejected": summary.rejected,
        "preview": shown_table(first.drop("payload", strict=False)),  # last: it is taller than the screen
    }


def must_be_finished(summary: Summary, about: str) -> None:
    """Fail the step where accounts failed: what they said, the first five of them.

    Raises:
        Failure: not every account has an outcome.
    """
    if summary.status != "finished":
        listed = "; ".join(summary.failures[:5])
        raise dg.Failure(
            f"{about}: {len(summary.failures)} of {summary.asked} accounts failed; what came is kept and the next run"
            f" asks only for the others. {listed}",
            allow_retries=False,
        )


def leaving(lake: Lake, months: Sequence[Month]) -> list[str]:
    """What to say of posts that some months count and another has too: the other is derived again only on request."""
    return [
        f"posts of {platform} that {Month(left)} has are dated in {Month(first)} now and count there alone: {posts};"
        f" to take them out of {Month(left)}, derive it again: smi run {Month(left)}"
        for platform, first, left, posts in moved_posts(lake, [month.first for month in months])
    ]


def _raw_asset(platform: Platform) -> dg.AssetsDefinition:
    @dg.asset(
        key=["raw", platform],
        group_name="raw",
        kinds={"python", "duckdb"},
        owners=OWNERS,
        partitions_def=MONTHS,
        backfill_policy=dg.BackfillPolicy.multi_run(1),
        pool=pool_of(platform),
        tags={"platform": platform},
        description=f"What {platform} says of the month: raw.{platform}_posts, raw.{platform}_accounts; payloads kept.",
        metadata=raw_metadata(platform),
    )
    def raw(
        context: dg.AssetExecutionContext, config: CollectConfig, lake: dg.ResourceParam[Lake]
    ) -> dg.MaterializeResult[None]:
        month, now = month_of(context), settings()
        if config.reparse:
            with told_clearly():
                again = reparse_month(lake, platform, month, ZONE)
            if again is None:
                context.log.info("%s has no finished collection of %s: nothing to read again", platform, month)
            return dg.MaterializeResult(
                metadata={} if again is None else asking_metadata(lake, again, sandbox=now.is_sandbox(platform))
            )
        warn_of_ignored_settings(context)
        with told_clearly():
            cut = cut_of(month, config.cut, now.services_now or datetime.now(UTC))
            registry = current_inputs(lake, now).registry
            accounts = valid_accounts(registry.accounts, platform, month)
            if not accounts:
                context.log.info("no %s account is valid in %s: nothing to ask", platform, month)
                return dg.MaterializeResult(metadata={"accounts asked": 0, "dagster/partition_row_count": 0})
            summary = run_async(
                lambda: _collect(lake, now, month, cut, accounts, platform=platform, force=config.force)
            )
        must_be_finished(summary, f"{platform} {month}")
        for line in leaving(lake, [month]):
            context.log.warning(line)
        if not summary.asked:
            context.log.info("%s of %s is collected already: no request", summary.cut, month)
            told = month_metadata(lake, f"raw.{platform}_posts", month.first)
            # the definition tells the columns, of all its tables
            shown = {"requests": 0, **{name: value for name, value in told.items() if name != "dagster/column_schema"}}
            return dg.MaterializeResult(metadata={**shown, "collection": summary.collection_id or ""})
        return dg.MaterializeResult(metadata=asking_metadata(lake, summary, sandbox=now.is_sandbox(platform)))

    return raw


@dg.definitions
def raw_assets() -> dg.Definitions:
    """One asset a platform, and what people hand in: whichever run finds a file changed writes that."""
    input_file = dg.AssetSpec(
        INPUT_FILE.split("."),
        description=graph().project.tables[INPUT_FILE].description,
        group_name="inputs",
        kinds={"csv", "toml"},
        owners=OWNERS,
        metadata=table_metadata(INPUT_FILE),
    )
    return dg.Definitions(assets=[*(_raw_asset(platform) for platform in PLATFORMS), input_file])
