"""What the five collectors share: how an account is read whole, or refused, or fails alone."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from datetime import datetime
from typing import ClassVar

from smi_pipeline.collectors.asked import Asked, Kind
from smi_pipeline.collectors.harvest import Harvest
from smi_pipeline.collectors.http import Http
from smi_pipeline.collectors.records import AccountResult, CollectionError, Outcome, Spent, Window
from smi_pipeline.collectors.stream import Emit, each, stream
from smi_pipeline.collectors.verdict import Refusal, Reply
from smi_pipeline.registry.models import Account, Platform


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
                if result.observed_at not in at:
                    raise CollectionError(
                        f"{self.platform}: its clock says {result.observed_at:%Y-%m-%dT%H:%M:%SZ}; figures of"
                        f" {at.start:%Y-%m-%dT%H:%M:%SZ} to {at.end:%Y-%m-%dT%H:%M:%SZ} can be had only then"
                    )
                await emit(result)

            await self.glance([Harvest(account, at) for account in accounts], in_time)

        return stream(work)

    def collect(self, accounts: Sequence[Account], window: Window) -> AsyncGenerator[AccountResult, None]:
        """Yield one result an account, as each is done: see `records.Collector`."""
        return stream(lambda emit: self.work([Harvest(account, window) for account in accounts], emit))

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
