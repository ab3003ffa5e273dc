"""What one account gives, gathered page by page and handed over whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from smi_pipeline.collectors.fields import Bad, Moment, PostRecord, Record, compact
from smi_pipeline.collectors.records import AccountResult, Outcome, Rejected, Row, Window
from smi_pipeline.collectors.verdict import UNSTORABLE, Refusal, words
from smi_pipeline.registry.models import Account, handle_key

# What goes into its column without a further look, once the texts are known to be storable.
_AS_THEY_ARE = {str, int, bool, list, datetime, Moment, type(None)}
ENOUGH = 100  # posts of a listing: where none of them can be placed, none of those after them can
SHOWN = 80  # characters of a value in a message


@dataclass
class Harvest:
    """What the answers about one account have given so far, until the account is done and handed over.

    A post that comes twice counts once, the last time; so does what was rejected of it.
    """

    account: Account
    window: Window
    platform_account_id: str = ""
    placed: bool = False  # whether any post, of the window or not, had a time and an id that could be read
    observed_at: datetime | None = None
    notes: list[str] = field(default_factory=list)
    _accounts: list[Row] = field(default_factory=list)
    _account_rejects: list[Rejected] = field(default_factory=list)
    _posts: dict[str, Row | None] = field(default_factory=dict)
    _post_rejects: dict[str, list[Rejected]] = field(default_factory=dict)
    _left_out: dict[str, None] = field(default_factory=dict)
    _replaced: int = 0

    def observe(self, record: Record, payload: Any, at: datetime) -> None:
        """Take the account's own record, read at `at`."""
        self.observed_at = max(at, self.observed_at or at)
        row, rejected = self._row(record, compact(payload), at, post_id=None)
        self._accounts.append(row)
        self._account_rejects += rejected

    def add(self, records: Sequence[PostRecord], payloads: Sequence[Any], at: datetime) -> bool:
        """Take a page of posts, read at `at`: those in the window, and those that cannot be placed.

        Returns:
            Whether the page lies wholly before the window: some times on it can be read, and each of those is older
            than the window's start.
        """
        self.observed_at = max(at, self.observed_at or at)
        instants = []
        for record, payload in zip(records, payloads, strict=True):
            identity = getattr(record, record.id_field)
            moment = getattr(record, record.time_field)
            if isinstance(moment, Moment):
                instants.append(moment.instant)
                if moment.instant not in self.window:
                    self.placed = True
                    continue
            if isinstance(moment, Bad) or isinstance(identity, Bad):
                self.refuse(record, payload, at)
            else:
                row, rejected = self._row(record, compact(payload), at, post_id=str(identity))
                row[record.time_field] = moment.raw
                self._keep(str(identity), row, rejected)
                self.placed = True
        return bool(instants) and max(instants) < self.window.start

    def refuse(self, record: PostRecord, payload: Any, at: datetime) -> None:
        """Put a whole post among the rejected: its id or its time cannot be read."""
        identity, moment = getattr(record, record.id_field), getattr(record, record.time_field)
        known = None if isinstance(identity, Bad) else str(identity)
        name, bad = (record.id_field, identity) if known is None else (record.time_field, moment)
        text = compact(payload)
        rejected = Rejected(self.account.account_id, known, name, self._sent(bad), "malformed", at, text)
        self._keep(known or text, None, [rejected])

    def require_placed(self) -> None:
        """Make sure that what was rejected whole is not all there is: then the number of posts is unknown, not zero.

        Raises:
            Refusal: drift. Posts came, and the time or the id of none of them can be read.
        """
        whole = [self._post_rejects[key][0] for key, row in self._posts.items() if row is None]
        if whole and not self.placed:
            first = whole[0]
            sent = f"{first.field} {first.value[:SHOWN]!r}"
            said = f"drift in the posts: none of {len(whole)} has an id and a time that can be read; first {sent}"
            raise Refusal("failed", said, at=self.observed_at, drifted=(first.field, first.payload))

    def called(self, name: str) -> Outcome:
        """The account was found by its id and calls itself `name` now: whether that is a new name."""
        platform = self.account.platform
        if handle_key(platform, name) == handle_key(platform, self.account.handle):
            return "answered"
        self.notes.append(words(f"renamed: the handle is now {name}"))
        return "renamed"

    def left_out(self, fields: Sequence[str]) -> None:
        """Fields were not asked for, because the platform has refused them."""
        self._left_out |= dict.fromkeys(fields)
        if fields:
            self.notes.append(f"left out, refused by the platform: {', '.join(fields)}")

    def result(self, outcome: Outcome = "answered") -> AccountResult:
        """Hand everything over."""
        if self._replaced:
            self.notes.append(f"U+0000 or half a surrogate pair replaced by U+FFFD in {self._replaced} texts")
        if self.observed_at is None:
            raise RuntimeError(f"{self.account.platform} {self.account.handle}: a result without any answer")
        return AccountResult(
            account=self.account,
            outcome=outcome,
            detail="; ".join(self.notes) or None,
            observed_at=self.observed_at,
            accounts=self._accounts,
            posts=[row for row in self._posts.values() if row is not None],
            rejected=[*self._account_rejects, *(one for some in self._post_rejects.values() for one in some)],
            left_out=tuple(self._left_out),
        )

    def refused(self, refusal: Refusal, at: datetime) -> AccountResult:
        """Hand over the refusal: without posts, which were not read to their end, but with the account's own record.

        A failed account is asked again, and then says it again. A record that is not what it was is kept to be seen.
        """
        keep = refusal.outcome != "failed"
        read_at = refusal.at or self.observed_at or at
        drifted = []
        if refusal.drifted is not None:
            where, payload = refusal.drifted
            drifted.append(Rejected(self.account.account_id, None, where, "", "drift", read_at, payload))
        return AccountResult(
            account=self.account,
            outcome=refusal.outcome,
            detail=words(*self.notes, refusal.detail),
            observed_at=read_at,
            accounts=self._accounts if keep else [],
            rejected=[*(self._account_rejects if keep else []), *drifted],
        )

    def _keep(self, key: str, row: Row | None, rejected: list[Rejected]) -> None:
        """Keep a post and what was rejected of it, in place of what came of it before."""
        self._posts[key] = row
        self._post_rejects.pop(key, None)
        if rejected:
            self._post_rejects[key] = rejected

    def _row(self, record: Record, payload: str, at: datetime, *, post_id: str | None) -> tuple[Row, list[Rejected]]:
        row: Row = {
            "account_id": self.account.account_id,
            "platform_account_id": self.platform_account_id,
            "observed_at": at,
            **record.__dict__,
        }
        rejected: list[Rejected] = []
        clean = "\\u0000" not in payload and "\ufffd" not in payload
        if not clean or not _AS_THEY_ARE.issuperset(map(type, row.values())):  # seldom: almost every post is all good
            for name, value in row.items():
                if isinstance(value, str):
                    row[name] = self._storable(value)
                elif isinstance(value, list):
                    row[name] = [self._storable(text) for text in value]
                elif isinstance(value, Bad):
                    row[name] = None
                    sent = self._sent(value)
                    rejected.append(Rejected(self.account.account_id, post_id, name, sent, "bad count", at, payload))
        row["payload"] = payload
        return row, rejected

    def _storable(self, text: str) -> str:
        if UNSTORABLE.search(text):
            self._replaced += 1
            return UNSTORABLE.sub("\ufffd", text)
        return text

    def _sent(self, bad: Bad) -> str:
        return self._storable(bad.value) if isinstance(bad.value, str) else compact(bad.value)
