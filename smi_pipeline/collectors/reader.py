"""What the five collectors share: how an account is read whole, or refused, or fails alone."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, ClassVar

from smi_pipeline.collectors.asked import Asked, Kind
from smi_pipeline.collectors.fields import compact
from smi_pipeline.collectors.harvest import Harvest
from smi_pipeline.collectors.http import Http
from smi_pipeline.collectors.records import (
    TERMINAL,
    AccountResult,
    CollectionError,
    Deferred,
    Outcome,
    Spent,
    Window,
)
from smi_pipeline.collectors.stream import Emit, each, stream
from smi_pipeline.collectors.verdict import Refusal, Reply, part, words
from smi_pipeline.registry.models import Account, Platform, handle_key

# So many accounts that failed alike are their own failures; more, and half of those requested, are the platform's.
ALIKE = 5
# What to do where a platform's whole budget does not bring one account.
_RAISE: dict[Platform, str] = {
    "x": "raise SMI_X_USD_A_MONTH",
    "youtube": "raise SMI_YOUTUBE_UNITS_A_DAY",
    "tiktok": "raise SMI_TIKTOK_REQUESTS_A_DAY or SMI_TIKTOK_RECORDS_A_DAY",
}
_OWN_WORDS = re.compile(r"""'[^']*'|"[^"]*"|[0-9a-f]{64}|[0-9][0-9,.]*""")


class Reader(ABC):
    """A collector over one client."""

    platform: ClassVar[Platform]

    def __init__(self, http: Http) -> None:
        self.http = http
        self._least = 0
        self._asked: dict[Kind, Asked] = {}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.http!r})"

    @property
    def requests(self) -> int:
        """HTTP requests sent so far, repeated ones included."""
        return self.http.requests

    @property
    def clock(self) -> datetime | None:
        """The platform's own time of its last answer."""
        return self.http.last_date

    @property
    def least(self) -> int:
        """The fewest requests a correct reading of what was read so far needs: full pages, nothing repeated."""
        return self._least

    def needed(self, records: int, page: int) -> None:
        """A listing was read that shows so many records: what it takes in full pages. An empty one takes a request."""
        self._least += max(1, -(-records // page))

    def asked(self, kind: Kind, harvest: Harvest) -> Asked:
        """The fields to ask for: the same for all accounts, so that what was refused once is not asked for again."""
        if kind not in self._asked:
            self._asked[kind] = Asked(self.platform, kind, harvest.window.end.date())
        return self._asked[kind]

    def known(self, spent: Iterable[Spent]) -> None:
        """Take what other runs have spent."""
        self.http.ledger.know(spent)

    def spent(self) -> list[Spent]:
        """What requests have cost since this was last called."""
        return self.http.ledger.take()

    def look(self, accounts: Sequence[Account], at: Window) -> AsyncGenerator[AccountResult, None]:
        """Yield one result an account with its own figures: see `records.Collector`."""

        async def work(emit: Emit) -> None:
            async def in_time(result: AccountResult) -> None:
                if result.outcome != "failed" and result.observed_at not in at:
                    raise CollectionError(
                        f"{self.platform}: its clock says {result.observed_at:%Y-%m-%dT%H:%M:%SZ}; figures of"
                        f" {at.start:%Y-%m-%dT%H:%M:%SZ} to {at.end:%Y-%m-%dT%H:%M:%SZ} can be had only then"
                    )
                await emit(result)

            await self.glance([Harvest(account, at) for account in accounts], self._watched(in_time, len(accounts)))

        return stream(work)

    def collect(self, accounts: Sequence[Account], window: Window) -> AsyncGenerator[AccountResult, None]:
        """Yield one result an account, as each is done: see `records.Collector`."""

        async def work(emit: Emit) -> None:
            done = 0

            async def counted(result: AccountResult) -> None:
                nonlocal done
                await emit(result)
                done += result.outcome in TERMINAL

            watched = self._watched(counted, len(accounts))
            try:
                await self.work([Harvest(account, window) for account in accounts], watched)
            except Deferred as deferred:
                if done or not deferred.first_in:
                    raise
                raise CollectionError(
                    f"{deferred.reason}: the whole budget brought no account to its end", remedy=_RAISE[self.platform]
                ) from None

        return stream(work)

    def _watched(self, emit: Emit, requested: int) -> Emit:
        """Emit; and stop the platform once more than five accounts and half of those requested have failed alike."""
        failures: Counter[str] = Counter()

        async def watched(result: AccountResult) -> None:
            await emit(result)
            if result.outcome != "failed":
                return
            alike = _alike(result)
            failures[alike] += 1
            if failures[alike] > ALIKE and 2 * failures[alike] >= requested:
                self.http.stop(
                    CollectionError(
                        f"{self.platform}: {failures[alike]} of {requested} accounts failed alike, and the rest is not"
                        f" requested: {result.detail}",
                        retryable=True,
                    )
                )

        return watched

    @abstractmethod
    async def work(self, harvests: list[Harvest], emit: Emit) -> None:
        """Read all accounts, a bounded number at a time, and emit each when it is done."""

    @abstractmethod
    async def glance(self, harvests: list[Harvest], emit: Emit) -> None:
        """Read the accounts' own records alone, for the fewest requests, and emit each when it is done."""

    @abstractmethod
    async def probe(self) -> None:
        """One cheap request that needs the credential."""

    async def settle(self, harvest: Harvest, emit: Emit, read: Callable[[Harvest], Awaitable[Outcome]]) -> None:
        """Read one account to its end and emit what came of it: a refusal concerns this account alone."""
        try:
            with self.http.reading():
                outcome = await read(harvest)
                harvest.require_placed()
                result = harvest.result(outcome)
        except Refusal as refusal:
            result = self.refused(harvest, refusal)
        await emit(result)

    def refused(self, harvest: Harvest, refusal: Refusal) -> AccountResult:
        """The result of an account that was refused. Without any answer its time is the window's end."""
        return harvest.refused(refusal, self.http.last_date or harvest.window.end)


class OneByOne(Reader):
    """A collector for a platform that gives one account's figures and posts in the same requests."""

    async def work(self, harvests: list[Harvest], emit: Emit) -> None:
        """Read all accounts, a bounded number at a time."""
        await self._each(harvests, emit, self.read)

    async def glance(self, harvests: list[Harvest], emit: Emit) -> None:
        """Read all accounts' own records, a bounded number at a time."""
        await self._each(harvests, emit, self.figures)

    async def _each(self, harvests: list[Harvest], emit: Emit, read: Callable[[Harvest], Awaitable[Outcome]]) -> None:
        async def one(harvest: Harvest) -> None:
            await self.settle(harvest, emit, read)

        await each(harvests, one, at_once=self.http.readers)

    @abstractmethod
    async def read(self, harvest: Harvest) -> Outcome:
        """Read one account into its harvest.

        Raises:
            Refusal: the account cannot be read, and why.
        """

    @abstractmethod
    async def figures(self, harvest: Harvest) -> Outcome:
        """Read one account's own record into its harvest.

        Raises:
            Refusal: the account cannot be read, and why.
        """


def _alike(result: AccountResult) -> str:
    """What a failure has in common with those of other accounts: its words without names, numbers and quotations."""
    account, said = result.account, result.detail or ""
    for own in (account.handle, account.account_id):
        said = said.replace(own, "#")
    return _OWN_WORDS.sub("#", said)


def answered_at(reply: Reply) -> datetime:
    """When the platform answered, by its own clock."""
    if reply.at is None:
        raise Refusal("failed", "the answer has no readable Date header")
    return reply.at


def same_owner(account: Account, found: str) -> None:
    """Make sure that a handle still leads to the account that the registry means.

    Raises:
        Refusal: it leads to another one; its posts are not this city's.
    """
    expected = account.platform_account_id
    if expected is not None and expected != found:
        raise Refusal("failed", f"handle {account.handle} now belongs to {found}, the registry has {expected}")


def same_name(account: Account, found: str) -> None:
    """Make sure that the account found by a handle calls itself so, as its platform compares names.

    Raises:
        Refusal: it has another name, and nothing says that it is the account the registry means.
    """
    if handle_key(account.platform, found) != handle_key(account.platform, account.handle):
        raise Refusal(
            "failed",
            words(
                f"handle {account.handle} leads to an account that calls itself {found}: correct the registry's handle,"
                " or give its account_id"
            ),
        )


def same_author(what: str, owner: str, payloads: Iterable[Any], *path: str) -> None:
    """Make sure that each record which names its owner at `path` names `owner`, capitals aside.

    Raises:
        Refusal: one is another's.
    """
    for payload in payloads:
        named = part(payload, *path)
        if named is not None and str(named).casefold() != owner.casefold():
            where = ".".join(path)
            said = f"{what} of {owner}: one is of {named} by its {where}"
            raise Refusal("failed", words(said), drifted=(where, compact(payload)))
