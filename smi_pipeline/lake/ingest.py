"""From a collector into the lake: results are committed in batches of whole accounts while the next ones are asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from smi_pipeline.collectors.records import AccountResult, CollectionError, Collector, Deferred, Window
from smi_pipeline.lake.collections import Collection, Cut, Status, open_collection
from smi_pipeline.lake.connection import Lake
from smi_pipeline.months import Month
from smi_pipeline.registry.models import Account, Platform

BATCH_POSTS = 2_000
BATCH_ACCOUNTS = 25


@dataclass
class Summary:
    """What one asking brought. `requests` counts this run's own; zero when the cut was collected already."""

    platform: Platform
    cut: Cut
    collection_id: str | None = None
    status: Status = "finished"
    requests: int = 0
    asked: int = 0
    posts: int = 0
    rejected: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)


async def collect_month(
    lake: Lake,
    collector: Collector,
    month: Month,
    zone: ZoneInfo,
    cut: Cut,
    accounts: Sequence[Account],
    *,
    synthetic: bool,
    force: bool = False,
) -> Summary:
    """Ask one platform about one month and keep the answers; ask nothing when this cut is there already.

    Two runs of the same platform-month wait for each other, and the second finds the work done.

    Raises:
        CollectionError: the platform as a whole refused; what came before is kept and the next run goes on from there.
    """
    platform = collector.platform
    with lake.lock(f"collect-{platform}-{month}"):
        collection, todo = await asyncio.to_thread(
            open_collection, lake, platform, month.first, cut, accounts, synthetic=synthetic, force=force
        )
        summary = Summary(platform, cut, asked=len(todo))
        if todo:
            await _run(collection, collector, todo, Window(month.start(zone), month.end(zone)), summary)
        elif collection.state is not None and collection.state.status != "finished":
            summary.status = await asyncio.to_thread(collection.close, 0)  # broken off between last batch and end
        if collection.state is not None:
            summary.collection_id = collection.state.collection_id
        return summary


async def _run(
    collection: Collection, collector: Collector, todo: Sequence[Account], window: Window, summary: Summary
) -> None:
    try:
        async for batch in _batches(collector.collect(todo, window)):
            _note(summary, batch)
            await asyncio.to_thread(collection.append, batch, collector.requests)
    except CollectionError as error:
        summary.status = "deferred" if isinstance(error, Deferred) else "failed"
        await asyncio.to_thread(collection.stop, summary.status, collector.requests)
        raise
    finally:
        summary.requests = collector.requests
    summary.status = await asyncio.to_thread(collection.close, collector.requests)


async def _batches(results: AsyncIterator[AccountResult]) -> AsyncIterator[list[AccountResult]]:
    """Whole accounts, until enough of them are together. What came before an error is given out before it."""
    batch: list[AccountResult] = []
    try:
        async for result in results:
            batch.append(result)
            if len(batch) >= BATCH_ACCOUNTS or sum(len(r.posts) for r in batch) >= BATCH_POSTS:
                yield batch
                batch = []
    except CollectionError:
        if batch:
            yield batch
        raise
    if batch:
        yield batch


def _note(summary: Summary, batch: Sequence[AccountResult]) -> None:
    for result in batch:
        summary.posts += len(result.posts)
        summary.rejected += len(result.rejected)
        summary.outcomes[result.outcome] = summary.outcomes.get(result.outcome, 0) + 1
        if result.outcome == "failed":
            summary.failures.append(f"{result.account.platform} {result.account.handle}: {result.detail}")
