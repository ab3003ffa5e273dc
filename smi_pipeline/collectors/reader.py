"""What the five collectors share: how an account is read whole, or refused, or fails alone."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from datetime import datetime
from typing import ClassVar

from smi_pipeline.collectors.harvest import Harvest
from smi_pipeline.collectors.http import Http
from smi_pipeline.collectors.records import AccountResult, Outcome, Window
from smi_pipeline.collectors.stream import Emit, each, stream
from smi_pipeline.collectors.verdict import Refusal, Reply
from smi_pipeline.registry.models import Account, Platform


class Reader(ABC):
    """A collector over one client."""

    platform: ClassVar[Platform]

    def __init__(self, http: Http) -> None:
        self.http = http

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.http!r})"

    @property
    def requests(self) -> int:
        """HTTP requests sent so far, repeated ones included."""
        return self.http.requests

    def collect(self, accounts: Sequence[Account], window: Window) -> AsyncGenerator[AccountResult, None]:
        """Yield one result an account, as each is done: see `records.Collector`."""
        return stream(lambda emit: self.work([Harvest(account, window) for account in accounts], emit))

    @abstractmethod
    async def work(self, harvests: list[Harvest], emit: Emit) -> None:
        """Read all accounts, a bounded number at a time, and emit each when it is done."""

    @abstractmethod
    async def probe(self) -> None:
        """One cheap request that needs the credential."""

    async def settle(self, harvest: Harvest, emit: Emit, read: Callable[[Harvest], Awaitable[Outcome]]) -> None:
        """Read one account to its end and emit what came of it: a refusal concerns this account alone."""
        try:
            result = harvest.result(await read(harvest))
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

        async def one(harvest: Harvest) -> None:
            await self.settle(harvest, emit, self.read)

        await each(harvests, one, at_once=self.http.concurrency)

    @abstractmethod
    async def read(self, harvest: Harvest) -> Outcome:
        """Read one account into its harvest.

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
