"""What an answer means, decided without side effects: a platform's classifier maps a Reply to a Verdict."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Literal

from smi_pipeline.collectors.records import Outcome

# throttle, transient: ask the same again. auth, quota: the platform as a whole, nobody is asked any more.
# The rest concern what was asked for: missing to failed are outcomes of an account, the last six are handled.
Kind = Literal[
    "ok",
    "throttle",
    "transient",
    "auth",
    "quota",
    "missing",
    "suspended",
    "private",
    "unavailable",
    "permission",
    "failed",
    "less_data",
    "stale_cursor",
    "stale_token",
    "no_list",
    "bad_page_token",
    "bad_field",
]
_OUTCOMES: dict[Kind, Outcome] = {
    "missing": "missing",
    "suspended": "suspended",
    "private": "private",
    "unavailable": "unavailable",
    "permission": "permission",
}
_SECONDS = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")
_EPOCH = re.compile(r"[0-9]{9,11}")
QUOTED = 300
FIRST_YEAR, YEAR_LIMIT = 2004, 2100  # of anything a platform may date
# DuckDB keeps neither in a varchar it can cast and export.
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


@dataclass(frozen=True)
class Reply:
    """One answer: already redacted. `headers` by lower-case name; `body` is null when it is not JSON.

    `at`: the platform's time; null where it gave none, or none that can be believed.
    """

    status: int
    headers: Mapping[str, str]
    body: Any
    at: datetime | None

    def part(self, *path: str | int) -> Any:
        """The value at `path` of the body, null where the way there ends."""
        return part(self.body, *path)

    def listed(self, name: str) -> list[Any]:
        """The list called `name` of the body, empty where there is none.

        Raises:
            Refusal: drift, there is something else.
        """
        value = self.part(name)
        if value is not None and not isinstance(value, list):
            raise Refusal("failed", f"drift in the answer: {name}: expected a list", at=self.at)
        return value or []

    def by_key(self, name: str, key: str) -> Found:
        """The records of the list called `name`, by the text that each has at `key`.

        Raises:
            Refusal: drift, there is something else in place of the list.
        """
        records = self.listed(name)
        found = {called: record for record in records if isinstance(called := part(record, key), str)}
        nameless = len(records) - sum(isinstance(part(record, key), str) for record in records)
        said = f"drift in the answer: {name}: {key}: field required; {nameless} of {len(records)} lack it"
        return Found(found, said if nameless else None, self.at)


@dataclass(frozen=True)
class Found:
    """Records of an answer by their key. `lacking`: why one that is not there may exist; null: the list is whole."""

    records: Mapping[str, Any]
    lacking: str | None
    at: datetime | None

    def get(self, key: str) -> Any:
        """The record of that key, null where the platform has none.

        Raises:
            Refusal: drift, it is not there and the list is not whole.
        """
        if key not in self.records and self.lacking is not None:
            raise Refusal("failed", self.lacking, at=self.at)
        return self.records.get(key)

    def only(self) -> Any:
        """The record where one was requested, null where the platform has none.

        Raises:
            Refusal: drift, the list is not whole, or it has several.
        """
        if self.lacking is not None or len(self.records) > 1:
            raise Refusal(
                "failed", self.lacking or f"drift in the answer: {len(self.records)} in place of one", at=self.at
            )
        return next(iter(self.records.values()), None)


@dataclass(frozen=True)
class Verdict:
    """What an answer means. `wait` in seconds; `resume_at` for a used-up quota; `detail` in the platform's words.

    `named`: for a bad field, the names the platform refuses. `later`: what it is instead once the credential was
    accepted, where the same words refuse a credential and an account.
    """

    kind: Kind
    detail: str = ""
    wait: float | None = None
    resume_at: datetime | None = None
    remedy: str | None = None
    named: tuple[str, ...] = ()
    later: Kind | None = None


OK = Verdict("ok")
Classifier = Callable[[Reply], Verdict]


class Refusal(Exception):  # noqa: N818 - it is an answer, not a fault
    """The platform answered, and the answer is no. Concerns what was asked for, not the platform as a whole.

    `named`: the fields it refuses, for a bad field. `drifted`: where a record is not what it was, and the record.
    `unanswered`: no answer came that could be read, however often it was requested.
    """

    def __init__(
        self,
        kind: Kind,
        detail: str,
        *,
        at: datetime | None = None,
        named: tuple[str, ...] = (),
        drifted: tuple[str, str] | None = None,
        unanswered: bool = False,
    ) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail
        self.at = at
        self.named = named
        self.drifted = drifted
        self.unanswered = unanswered

    @property
    def outcome(self) -> Outcome:
        """What becomes of the account: failed for everything without an outcome of its own."""
        return _OUTCOMES.get(self.kind, "failed")


class BadPayload(Refusal):
    """An answer that is not what its content type or the protocol promises."""

    def __init__(self, detail: str, *, at: datetime | None = None) -> None:
        super().__init__("failed", detail, at=at)


def part(value: Any, *path: str | int) -> Any:
    """The value at `path` of a JSON value, null where the way there ends."""
    for step in path:
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            value = value[step]
        else:
            return None
    return value


def words(*parts: Any) -> str:
    """The platform's own words in one line, fit to be stored, the empty ones left out, cut to a bearable length."""
    line = UNSTORABLE.sub("\ufffd", ": ".join(" ".join(str(p).split()) for p in parts if p not in (None, "")))
    return line if len(line) <= QUOTED else line[: QUOTED - 1] + "…"


def asked_wait(reply: Reply) -> float | None:
    """Seconds the answer asks to wait, null where it does not say or what it says makes no sense.

    `Retry-After` in seconds or as an HTTP date, else `x-rate-limit-reset`. Dates are compared with the answer's own
    `Date`, so a clock of ours that runs an hour ahead changes nothing.
    """
    retry_after = reply.headers.get("retry-after", "").strip()
    reset = reply.headers.get("x-rate-limit-reset", "").strip()
    wait: float | None = None
    if _SECONDS.fullmatch(retry_after):
        wait = float(retry_after)
    elif retry_after and reply.at is not None and (until := http_date(retry_after)) is not None:
        wait = (until - reply.at).total_seconds()
    elif not retry_after and _EPOCH.fullmatch(reset) and reply.at is not None:
        wait = int(reset) - reply.at.timestamp()
    return wait if wait is not None and wait > 0 else None


def http_date(text: str) -> datetime | None:
    """An HTTP date as an aware UTC instant, null when it is none or of a year no platform answers in."""
    try:
        moment = parsedate_to_datetime(text)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, TypeError, OverflowError):
        return None
    return moment if FIRST_YEAR <= moment.year < YEAR_LIMIT else None


def is_good(reply: Reply) -> bool:
    """Whether HTTP calls the answer a success."""
    return HTTPStatus.OK <= reply.status < HTTPStatus.MULTIPLE_CHOICES


def by_status(reply: Reply, detail: str, *, remedy: str) -> Verdict:
    """The verdict where the body does not decide: what HTTP itself says.

    Never that an account is not there: only a platform says that in its own words, and something in between may answer
    404 as well.
    """
    if is_good(reply):
        return OK
    said = words(f"HTTP {reply.status}", detail)
    match reply.status:
        case HTTPStatus.UNAUTHORIZED | HTTPStatus.FORBIDDEN:
            return Verdict("auth", said, remedy=remedy)
        case HTTPStatus.NOT_FOUND | HTTPStatus.GONE:
            return Verdict("transient" if reply.body is None else "failed", said)
        case HTTPStatus.TOO_MANY_REQUESTS:
            return Verdict("throttle", said, wait=asked_wait(reply))
        case status if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.REQUEST_TIMEOUT:
            return Verdict("transient", said, wait=asked_wait(reply))
    return Verdict("failed", said)  # redirects too: they are not followed


def decided(kind: Kind, reply: Reply, detail: str, *, remedy: str, quota_zone: tzinfo = UTC) -> Verdict:
    """The verdict of a known kind, with the wait or the end of the quota's day that belongs to it."""
    return Verdict(
        kind,
        detail,
        wait=asked_wait(reply) if kind == "throttle" else None,
        resume_at=next_midnight(reply.at, quota_zone) if kind == "quota" and reply.at is not None else None,
        remedy=remedy if kind == "auth" else None,
    )


def next_midnight(at: datetime, zone: tzinfo) -> datetime:
    """The next midnight of `zone` after `at`, in UTC: when daily quotas start anew."""
    local = at.astimezone(zone)
    return (local.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)).astimezone(UTC)
