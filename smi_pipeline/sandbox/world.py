"""The five platforms at an instant: who is there, what was posted by then and what had come back.

Posts of an account are kept oldest first beside a list of their times, so that every question is a bisection and none
goes through all posts. An account that was renamed or deleted posts is another `Owner` before and after.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from itertools import accumulate
from typing import Literal

from smi_pipeline.sandbox import identity
from smi_pipeline.sandbox.dataset import Account, Counts, Dataset, DatasetError, Kind, Platform, Post

_REACHED_BY_HANDLE_ALONE = ("instagram", "tiktok")
_ATTEMPTS = 8


@dataclass(eq=False, slots=True)
class Item:
    """One post as the platform shows it; `place` counts the account's posts, oldest first, from 0."""

    id: str
    place: int
    owner: Owner
    post: Post

    @property
    def created_at(self) -> datetime:
        """When it was posted, in UTC."""
        return self.post.created_at

    @property
    def added_at(self) -> datetime:
        """When it came into its account's list: before it was posted, where that was scheduled."""
        return self.post.added_at or self.post.created_at

    @property
    def kind(self) -> Kind:
        """What it is, in the neutral words."""
        return self.post.kind

    def text(self, now: datetime) -> str:
        """Its text, as the data set has it: the newest edit not after `now`, or the first."""
        known = bisect_right(self.post.edits, now, key=lambda edit: edit[0])
        return self.post.edits[known - 1][1] if known else self.post.text

    def is_there(self, now: datetime) -> bool:
        """Whether it was posted by `now` and not deleted."""
        deleted_at = self.post.deleted_at
        return self.created_at <= now and (deleted_at is None or now < deleted_at)

    def counts(self, now: datetime) -> Counts:
        """The newest snapshot not after `now`, or what posts.csv says where there is none."""
        known = bisect_right(self.post.snapshots, now, key=lambda seen: seen[0])
        return self.post.snapshots[known - 1][1] if known else self.post.counts


@dataclass(eq=False, slots=True)
class Owner:
    """One account as the platform shows it."""

    id: str
    handle: str
    account: Account
    items: list[Item] = field(default_factory=list)
    times: list[datetime] = field(default_factory=list)
    deletions: list[datetime] = field(default_factory=list)
    schedules: bool = False  # whether any post was added before it was posted
    _totals: dict[str, tuple[list[datetime], list[int]]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The name it shows."""
        return self.account.display_name

    def posts_by(self, now: datetime) -> int:
        """How many posts there are: those with a place below it were created by `now`."""
        return bisect_right(self.times, now)

    def listed(self, now: datetime) -> list[Item]:
        """The posts there are by `now` as they were added, oldest first."""
        items = self.items[: self.posts_by(now)]
        return sorted(items, key=lambda item: item.added_at) if self.schedules else items

    def posts_before(self, instant: datetime) -> int:
        """How many posts were created strictly before `instant`."""
        return bisect_left(self.times, instant)

    def followers(self, now: datetime) -> int | None:
        """The newest observation not after `now`, or what accounts.csv says; `None` = not in the data."""
        known = bisect_right(self.account.observations, now, key=lambda seen: seen[0])
        return self.account.observations[known - 1][1] if known else self.account.followers

    def total(self, what: Literal["likes", "views"], now: datetime) -> int | None:
        """The sum of a count over the posts there are by `now`, as it stood then; `None` = no post has the count."""
        if what not in self._totals:
            self._totals[what] = _running_total(self.items, lambda counts: getattr(counts, what))
        times, sums = self._totals[what]
        known = bisect_right(times, now)
        return sums[known - 1] if known else None


class World:
    """All accounts and posts of a data set under the names and ids they have on the wire."""

    def __init__(self, dataset: Dataset) -> None:
        """Index a data set.

        Raises:
            DatasetError: two accounts cannot be told apart on the wire, so no client could ask for either.
        """
        self._by_id: dict[tuple[Platform, str], Owner] = {}
        self._by_handle: dict[tuple[Platform, str], Owner] = {}
        self._by_folded: dict[tuple[Platform, str], Owner] = {}
        self._items: dict[tuple[Platform, str], Item] = {}
        self._versions: dict[tuple[Platform, str, bool, int], Owner] = {}
        owners = {id(account): self._add_account(account) for account in dataset.accounts}
        for post in sorted(dataset.posts, key=lambda post: post.created_at):
            self._add_post(owners[id(post.account)], post)

    def owners(self, platform: Platform, now: datetime) -> list[Owner]:
        """All accounts of a platform."""
        found = [owner for (on, _), owner in self._by_id.items() if on == platform]
        return [shown for owner in found if (shown := self._shown(owner, now)) is not None]

    def by_id(self, platform: Platform, wire_id: str, now: datetime) -> Owner | None:
        """The account with this id on the wire; `None` also where it is suspended."""
        return self._shown(self._by_id.get((platform, wire_id)), now)

    def by_handle(self, platform: Platform, asked: str, now: datetime) -> Owner | None:
        """The account with this handle: as the data set writes it, else as it goes on the wire; case never matters."""
        return self._shown(self._called(platform, asked, now), now)

    def is_suspended(self, platform: Platform, asked: str, now: datetime) -> bool:
        """Whether the account with this id on the wire, or this handle, is suspended."""
        owner = self._by_id.get((platform, asked)) or self._called(platform, asked, now)
        return owner is not None and _suspended(owner.account, now)

    def item(self, platform: Platform, wire_id: str, now: datetime) -> Item | None:
        """The post with this id, if it is there."""
        item = self._items.get((platform, wire_id))
        there = item is not None and item.is_there(now) and not _suspended(item.owner.account, now)
        return item if there else None

    def _called(self, platform: Platform, asked: str, now: datetime) -> Owner | None:
        written = (platform, asked.removeprefix("@").casefold())
        folded = (platform, identity.handle(platform, asked).casefold())
        for owner in (self._by_handle.get(written), self._by_folded.get(folded)):
            if owner is not None and identity.handle(platform, _handle(owner.account, now)).casefold() == folded[1]:
                return owner
        return None

    def _shown(self, owner: Owner | None, now: datetime) -> Owner | None:
        """The account as it is at `now`: with the handle it has then, without the posts deleted by then."""
        if owner is None or _suspended(owner.account, now):
            return None
        account = owner.account
        renamed = account.renamed_at is not None and now < account.renamed_at
        gone = bisect_right(owner.deletions, now)
        if not renamed and not gone:
            return owner
        key = (account.platform, owner.id, renamed, gone)
        if key not in self._versions:
            handle = identity.handle(account.platform, _handle(account, now))
            version = Owner(owner.id, handle, account, schedules=owner.schedules)
            there = [item for item in owner.items if item.post.deleted_at is None or now < item.post.deleted_at]
            version.items = [Item(item.id, place, version, item.post) for place, item in enumerate(there)]
            version.times = [item.created_at for item in there]
            self._versions[key] = version
        return self._versions[key]

    def _add_account(self, account: Account) -> Owner:
        platform = account.platform
        owner = Owner(
            identity.account_id(platform, account.account_id), identity.handle(platform, account.handle), account
        )
        self._by_id[platform, owner.id] = owner
        for handle in filter(None, (account.handle, account.former_handle)):
            self._by_handle.setdefault((platform, handle.removeprefix("@").casefold()), owner)
        first = self._by_folded.setdefault((platform, owner.handle.casefold()), owner)
        by_handle_alone = platform in _REACHED_BY_HANDLE_ALONE or account.account_id != owner.id
        if first is not owner and by_handle_alone:
            raise DatasetError(
                f"accounts.csv: expected {platform} handles that differ on the wire, but {first.account.handle!r} and "
                f"{account.handle!r} both become {owner.handle!r}"
            )
        return owner

    def _add_post(self, owner: Owner, post: Post) -> None:
        platform = post.account.platform
        ids = (
            identity.post_id(platform, post.post_id, account=owner.id, created_at=post.created_at, attempt=attempt)
            for attempt in range(_ATTEMPTS)
        )
        wire_id = next((wire_id for wire_id in ids if (platform, wire_id) not in self._items), None)
        if wire_id is None:
            raise DatasetError(f"posts.csv: expected ids that differ on the wire, but {post.post_id!r} is not alone")
        item = Item(wire_id, len(owner.items), owner, post)
        owner.items.append(item)
        owner.times.append(post.created_at)
        if post.added_at is not None:
            owner.schedules = True
        if post.deleted_at is not None:
            insort(owner.deletions, post.deleted_at)
        self._items[platform, wire_id] = item


def _suspended(account: Account, now: datetime) -> bool:
    return account.suspended_at is not None and account.suspended_at <= now


def _handle(account: Account, now: datetime) -> str:
    """The handle an account has at `now`, as the data set writes it."""
    before = account.renamed_at is not None and now < account.renamed_at
    return account.former_handle if before else account.handle


def _running_total(items: list[Item], count: Callable[[Counts], int | None]) -> tuple[list[datetime], list[int]]:
    """When a sum over posts changed, and what it was from then on."""
    steps: list[tuple[datetime, int]] = []
    for item in items:
        before = 0
        for seen_at, counts in [(item.created_at, item.post.counts), *item.post.snapshots]:
            number = count(counts)
            if number is not None:
                steps.append((max(seen_at, item.created_at), number - before))
                before = number
    steps.sort(key=lambda step: step[0])
    return [at for at, _ in steps], list(accumulate(by for _, by in steps))
