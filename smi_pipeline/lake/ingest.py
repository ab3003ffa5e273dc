"""From a collector into the lake: results are committed in batches of whole accounts while the next ones are asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from smi_pipeline.collectors.records import AccountResult, CollectionError, Collector, Deferred, Row, Window
from smi_pipeline.lake.collections import Collection, Cut, Status, open_collection
from smi_pipeline.lake.connection import Lake
from smi_pipeline.months import Month
from smi_pipeline.registry.models import Account, Platform

BATCH_POSTS = 2_000
BATCH_ACCOUNTS = 25
SHOWN = 10


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
    first_posts: list[Row] = field(default_factory=list)


async def collect_month(
    lake: Lake,
    platform: Platform,
    opened: Callable[[], AbstractAsyncContextManager[Collector]],
    month: Month,
    zone: ZoneInfo,
    cut: Cut,
    accounts: Sequence[Account],
    *,
    synthetic: bool,
    force: bool = False,
) -> Summary:
    """Ask one platform about one month and keep the answers; ask nothing when this cut is there already.

    Two runs of the same platform-month wait for each other, and the second finds the work done. `opened` makes the
    collector: only when there is something to ask, so that a collected month needs no credential.

    Raises:
        CollectionError: the platform as a whole refused; what came before is kept and the next run goes on from there.
    """
    with lake.lock(f"collect-{platform}-{month}"):
        collection, todo = await asyncio.to_thread(
            open_collection, lake, platform, month.first, cut, accounts, synthetic=synthetic, force=force
        )
        summary = Summary(platform, cut, asked=len(todo))
        if todo:
            window = Window(month.start(zone), month.end(zone))
            async with opened() as collector:
                await _run(collection, collector, todo, window, summary)
        elif collection.state is not None and collection.state.status != "finished":
            await asyncio.to_thread(collection.close)
        if collection.state is not None:
            summary.collection_id = collection.state.collection_id
            summary.status = collection.state.status
        return summary


async def _run(
    collection: Collection, collector: Collector, todo: Sequence[Account], window: Window, summary: Summary
) -> None:
    try:
        async for batch, last in _batches(collector.collect(todo, window)):
            _note(summary, batch)
            await asyncio.to_thread(collection.append, batch, collector.requests, last=last)
    except CollectionError as error:
        status: Status = "deferred" if isinstance(error, Deferred) else "failed"
        await asyncio.to_thread(collection.stop, status, collector.requests)
        raise
    finally:
        summary.requests = collector.requests


async def _batches(results: AsyncIterator[AccountResult]) -> AsyncIterator[tuple[list[AccountResult], bool]]:
    """Whole accounts, until enough of them are together; the last batch is marked.

    What came before an error is given out before it, unmarked.
    """
    batch: list[AccountResult] = []
    try:
        async for result in results:
            if len(batch) >= BATCH_ACCOUNTS or sum(len(r.posts) for r in batch) >= BATCH_POSTS:
                yield batch, False
                batch = []
            batch.append(result)
    except CollectionError:
        if batch:
            yield batch, False
        raise
    if batch:
        yield batch, True


def _note(summary: Summary, batch: Sequence[AccountResult]) -> None:
    for result in batch:
        summary.posts += len(result.posts)
        summary.rejected += len(result.rejected)
        summary.outcomes[result.outcome] = summary.outcomes.get(result.outcome, 0) + 1
        shown = result.posts[: SHOWN - len(summary.first_posts)]
        summary.first_posts += [{name: row[name] for name in row if name != "payload"} for row in shown]
        if result.outcome == "failed":
            summary.failures.append(f"{result.account.platform} {result.account.handle}: {result.detail}")
