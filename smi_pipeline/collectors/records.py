"""What a collector hands over: results per account, what was refused, and the errors that concern a whole platform.

Rows are dicts keyed by the columns of `raw.<platform>_posts` and `raw.<platform>_accounts`, without `collection_id` and
`month`, which the lake adds. A null is "not reported" and a 0 is zero: nothing here turns one into the other.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Literal, NamedTuple, Protocol

from smi_pipeline.registry.models import Account, Platform

Outcome = Literal[
    "answered",
    "missing",
    "suspended",
    "private",
    "renamed",
    "unavailable",
    "permission",
    "truncated",
    "failed",
    "deferred",
]
# Asking again tomorrow would give the same answer for these; failed and deferred accounts are asked again.
TERMINAL: frozenset[Outcome] = frozenset(
    {"answered", "missing", "suspended", "private", "renamed", "unavailable", "permission", "truncated"}
)
# What was read to its end, or as far as the platform shows it: these have posts to count, the others nothing known.
READ: frozenset[str] = frozenset({"answered", "truncated", "renamed"})
Row = dict[str, Any]


@dataclass(frozen=True)
class Window:
    """The instants whose posts are wanted: half-open [start, end), aware, UTC."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.start.tzinfo is None or self.end.tzinfo is None:
            raise ValueError("a window is given by aware instants")
        if self.end <= self.start:
            raise ValueError(f"the window ends ({self.end}) before it begins ({self.start})")

    def __contains__(self, instant: datetime) -> bool:
        return self.start <= instant < self.end


@dataclass(frozen=True)
class Rejected:
    """One value, or one whole post, that could not be taken as the platform sent it.

    `field` and `value` are the platform's name and raw value. Reason "bad count": the count is null in its row, the
    row is there. Reason "malformed": the post's id or time is unreadable, the post is not among the rows. Reason
    "drift": a required key is gone, `field` says where, and the account has failed.
    `platform_post_id` is null for a value of the account itself and where the id is what could not be read.
    """

    account_id: str
    platform_post_id: str | None
    field: str
    value: str
    reason: str
    observed_at: datetime
    payload: str


@dataclass(frozen=True)
class AccountResult:
    """Everything one account gave, whole: half an account is never handed over.

    `detail` has the platform's own words. `observed_at` is the `Date` of the last answer about the account.
    Posts are unique by id and lie in the window asked for. `left_out`: fields that were not asked for, because the
    platform had refused them: their absence from a record means nothing.
    """

    account: Account
    outcome: Outcome
    detail: str | None
    observed_at: datetime
    accounts: list[Row] = field(default_factory=list)
    posts: list[Row] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    left_out: tuple[str, ...] = ()


class Spent(NamedTuple):
    """One row of the ledger: what a platform's endpoint was asked for on one of its quota days.

    `units` of quota, `records` that the platform counts or bills, `usd` at most: the same record asked for twice in a
    day is billed once, and counted twice here.
    """

    day: date
    endpoint: str
    requests: int
    units: int
    records: int
    usd: float


class Collector(Protocol):
    """Reads accounts of one platform. One instance serves one run: it counts its requests."""

    @property
    def platform(self) -> Platform:
        """Whose accounts it reads."""
        ...

    @property
    def requests(self) -> int:
        """HTTP requests sent so far, repeated ones included."""
        ...

    @property
    def least(self) -> int:
        """The fewest requests a correct reading of what was read so far needs."""
        ...

    @property
    def clock(self) -> datetime | None:
        """The platform's own time of its last answer; null where it has answered nothing."""
        ...

    def known(self, spent: Iterable[Spent]) -> None:
        """Take what other runs have spent of the platform's budgets, before anything is asked and again meanwhile."""
        ...

    def spent(self) -> list[Spent]:
        """What requests have cost since this was last called."""
        ...

    def look(self, accounts: Sequence[Account], at: Window) -> AsyncGenerator[AccountResult, None]:
        """Yield one result an account with its own figures and no posts, for the fewest requests.

        `at`: when the figures are meant to be read; an answer of another time ends the reading.

        Raises:
            CollectionError: as `collect`, or the platform's clock is outside `at`.
        """
        ...

    def collect(self, accounts: Sequence[Account], window: Window) -> AsyncGenerator[AccountResult, None]:
        """Yield one result an account, as each is done, in no promised order.

        Closing the generator cancels what is in flight.

        Raises:
            CollectionError: the platform as a whole cannot be read (after the results so far were yielded).
        """
        ...


class CollectionError(Exception):
    """A failure of a whole platform. The message is redacted, one line, and says what to do.

    `retryable`: asking later, with nothing changed here, may succeed.
    """

    def __init__(
        self,
        message: str,
        *,
        retryable: bool = False,
        account_id: str | None = None,
        remedy: str | None = None,
    ) -> None:
        super().__init__(f"{message}; {remedy}" if remedy else message)
        self.retryable = retryable
        self.account_id = account_id
        self.remedy = remedy


class MissingCredential(CollectionError):  # noqa: N818 - the name says it
    """A credential is not set. `variable` names the SMI_* variable."""

    def __init__(self, platform: Platform, variable: str) -> None:
        super().__init__(f"{platform}: no credential", remedy=f"set {variable}")
        self.variable = variable


class Deferred(CollectionError):  # noqa: N818 - put off, not failed
    """A quota is used up, or the platform asks for a longer wait than a run should sleep.

    `resume_at` (UTC) is on the platform's clock, that of its `Date` headers. `first_in`: a budget of our own is used
    up, and this run alone has used it.
    """

    def __init__(self, message: str, *, resume_at: datetime, first_in: bool = False) -> None:
        super().__init__(f"{message}; resumes at {resume_at:%Y-%m-%dT%H:%M:%SZ}", retryable=True)
        self.resume_at = resume_at
        self.first_in = first_in
        self.reason = message
