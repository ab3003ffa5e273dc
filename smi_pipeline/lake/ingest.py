"""From a collector into the lake: results are committed in batches of whole accounts while the next ones are asked."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import partial
from zoneinfo import ZoneInfo

from smi_pipeline.collectors.records import (
    READ,
    TERMINAL,
    AccountResult,
    CollectionError,
    Collector,
    Deferred,
    Row,
    Window,
)
from smi_pipeline.lake.collections import Asking, Collection, Cut, Status, Subject, Taking, open_collection, spent
from smi_pipeline.lake.connection import Lake
from smi_pipeline.months import Month, day_span
from smi_pipeline.registry.models import Account, Platform

# Whole accounts are committed together: a transaction takes as long for one row as for thousands. What is not committed
# yet when a run dies is asked again, so a slow collection does not wait for a full batch: the seconds bound what is
# lost, the other two the memory.
BATCH_POSTS = 25_000
BATCH_ACCOUNTS = 250
BATCH_SECONDS = 15.0
SHOWN = 10
_INSTANT = "%Y-%m-%dT%H:%M:%SZ"


@dataclass
class Summary:
    """What one asking brought. `requests` counts this run's own, `least` those it needed; zero when all was there."""

    platform: Platform
    cut: Taking
    collection_id: str | None = None
    status: Status = "finished"
    requests: int = 0
    least: int = 0
    asked: int = 0
    posts: int = 0
    rejected: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    first_posts: list[Row] = field(default_factory=list)

    def note(self, batch: Sequence[AccountResult]) -> None:
        """Count what a batch of accounts brought."""
        for result in batch:
            self.posts += len(result.posts)
            self.rejected += len(result.rejected)
            self.outcomes[result.outcome] = self.outcomes.get(result.outcome, 0) + 1
            shown = result.posts[: SHOWN - len(self.first_posts)]
            self.first_posts += [{name: row[name] for name in row if name != "payload"} for row in shown]
            if result.outcome == "failed":
                self.failures.append(f"{result.account.platform} {result.account.handle}: {result.detail}")


async def collect_month(
    lake: Lake,
    platform: Platform,
    opened: Opened,
    month: Month,
    zone: ZoneInfo,
    cut: Cut,
    accounts: Sequence[Account],
    *,
    synthetic: bool,
    force: bool = False,
    source: str = "api",
) -> Summary:
    """Ask one platform about one month and keep the answers; ask nothing when this cut is there already.

    Two runs of the same platform-month wait for each other, and the second finds the work done. `opened` makes the
    collector: only when there is something to ask, so that a collected month needs no credential.

    Raises:
        CollectionError: the platform as a whole refused, or the month is not over by its own clock; what came before is
            kept and the next run goes on from there.
    """
    window = Window(month.start(zone), month.end(zone))
    subject = Subject(platform, month.first, cut, synthetic, source=source)
    over = _over_in_files if source == "files" else _over_by_clock

    def reading(collector: Collector, todo: Sequence[Account]) -> AsyncIterator[AccountResult]:
        return over(collector.collect(todo, window), subject, window.end)

    return await _take(lake, subject, opened, accounts, reading, force=force)


async def _over_by_clock(
    results: AsyncGenerator[AccountResult, None], subject: Subject, end: datetime
) -> AsyncIterator[AccountResult]:
    """Results as they come.

    Raises:
        CollectionError: one was answered before the month's end by the platform's own clock; it is not given out.
    """
    async with aclosing(results):
        async for result in results:
            if result.outcome in TERMINAL and result.observed_at < end:
                raise _not_over(subject, f"{subject.platform}'s clock says {result.observed_at:{_INSTANT}}", end)
            yield result


async def _over_in_files(
    results: AsyncGenerator[AccountResult, None], subject: Subject, end: datetime
) -> AsyncIterator[AccountResult]:
    """A vendor's accounts, once all are read: the latest time in the files tells when they were made.

    Raises:
        CollectionError: that is before the month's end.
    """
    read = [result async for result in results]
    told = [result.observed_at for result in read if result.outcome in READ]
    if told and max(told) < end:
        raise _not_over(subject, f"the latest time in the vendor's files is {max(told):{_INSTANT}}", end)
    for result in read:
        yield result


def _not_over(subject: Subject, said: str, end: datetime) -> CollectionError:
    return CollectionError(
        f"{subject}: the month is not over: {said}, and it ends at {end:{_INSTANT}}; nothing of it is counted",
        remedy="collect it once it is over",
    )


async def take_snapshot(
    lake: Lake,
    platform: Platform,
    opened: Opened,
    day: date,
    zone: ZoneInfo,
    accounts: Sequence[Account],
    *,
    synthetic: bool,
    force: bool = False,
    source: str = "api",
) -> Summary:
    """Ask one platform for the figures of its accounts on one day of `zone`; nothing when they are there already.

    Raises:
        CollectionError: as `collect_month`, or it is another day on the platform's clock: figures are current ones.
    """
    at = Window(*day_span(day, zone))
    subject = Subject(platform, day.replace(day=1), "snapshot", synthetic, day, source=source)
    return await _take(lake, subject, opened, accounts, lambda collector, todo: collector.look(todo, at), force=force)


Opened = Callable[[], AbstractAsyncContextManager[Collector]]
Reading = Callable[[Collector, Sequence[Account]], AsyncIterator[AccountResult]]


async def _take(
    lake: Lake, subject: Subject, opened: Opened, accounts: Sequence[Account], read: Reading, *, force: bool
) -> Summary:
    name = f"{subject.day or format(subject.month, '%Y-%m')}"
    with lake.lock(f"collect-{subject.platform}-{name}"):
        (collection, todo), others = await asyncio.gather(
            asyncio.to_thread(open_collection, lake, subject, accounts, force=force),
            asyncio.to_thread(spent, lake, subject.platform),
        )
        summary = Summary(subject.platform, subject.cut, asked=len(todo))
        if todo:
            async with opened() as collector:
                collector.known(others)
                with _older_objects_let_be():
                    await _run(collection, collector, read(collector, todo), summary)
        elif collection.state is not None and collection.state.status != "finished":
            await asyncio.to_thread(collection.close)
        if collection.state is not None:
            summary.collection_id = collection.state.collection_id
            summary.status = "failed" if summary.failures else collection.state.status
        return summary


@contextmanager
def _older_objects_let_be() -> Iterator[None]:
    """Keep Python from looking for garbage among what was loaded before: more than a tenth of the time goes there.

    Every few thousand posts it would go through all modules, some hundred thousand objects that live on anyway.
    """
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


async def _run(
    collection: Collection, collector: Collector, results: AsyncIterator[AccountResult], summary: Summary
) -> None:
    def asking() -> Asking:
        return Asking(collector.requests, collector.least, collector.spent())

    try:
        async for taken, last in _batches(results):
            batch = collection.each_once(taken)
            summary.note(batch)
            await asyncio.to_thread(collection.append, batch, asking(), last=last)
            if not last:
                collector.known(await asyncio.to_thread(collection.spent_by_others))
    except Deferred as error:
        stopped = partial(collection.stop, "deferred", asking(), at=collector.clock, resume_at=error.resume_at)
        await asyncio.to_thread(stopped)
        raise
    except CollectionError:
        await asyncio.to_thread(collection.stop, "failed", asking(), at=collector.clock)
        raise
    except asyncio.CancelledError:  # requests that were made are in the ledger whatever becomes of the run
        collection.stop("running", asking(), at=collector.clock)
        raise
    finally:
        summary.requests, summary.least = collector.requests, collector.least


async def _batches(results: AsyncIterator[AccountResult]) -> AsyncIterator[tuple[list[AccountResult], bool]]:
    """Whole accounts, until enough of them are together; the last batch is marked.

    What came before an error is given out before it, unmarked.
    """
    batch: list[AccountResult] = []
    posts = 0
    now = asyncio.get_running_loop().time
    began = now()
    try:
        async for result in results:
            if batch and (len(batch) >= BATCH_ACCOUNTS or posts >= BATCH_POSTS or now() - began >= BATCH_SECONDS):
                yield batch, False
                batch, posts, began = [], 0, now()
            batch.append(result)
            posts += len(result.posts)
    except CollectionError:
        if batch:
            yield batch, False
        raise
    if batch:
        yield batch, True
