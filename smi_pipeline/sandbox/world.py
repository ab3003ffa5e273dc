"""The five platforms at an instant: who is there, what was posted by then and what had come back.

Posts of an account are kept oldest first beside a list of their times, so that every question is a bisection and none
goes through all posts.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
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
    def kind(self) -> Kind:
        """What it is, in the neutral words."""
        return self.post.kind

    @property
    def text(self) -> str:
        """Its text, as the data set has it."""
        return self.post.text

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
    _totals: dict[str, tuple[list[datetime], list[int]]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The name it shows."""
        return self.account.display_name

    def posts_by(self, now: datetime) -> int:
        """How many posts there are: those with a place below it were created by `now`."""
        return bisect_right(self.times, now)

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
        owners = {id(account): self._add_account(account) for account in dataset.accounts}
        for post in sorted(dataset.posts, key=lambda post: post.created_at):
            self._add_post(owners[id(post.account)], post)

    def owners(self, platform: Platform) -> list[Owner]:
        """All accounts of a platform."""
        return [owner for (on, _), owner in self._by_id.items() if on == platform]

    def by_id(self, platform: Platform, wire_id: str) -> Owner | None:
        """The account with this id on the wire."""
        return self._by_id.get((platform, wire_id))

    def by_handle(self, platform: Platform, asked: str) -> Owner | None:
        """The account with this handle: as the data set writes it, else as it goes on the wire; case never matters."""
        exact = self._by_handle.get((platform, asked.removeprefix("@").casefold()))
        return exact or self._by_folded.get((platform, identity.handle(platform, asked).casefold()))

    def item(self, platform: Platform, wire_id: str, now: datetime) -> Item | None:
        """The post with this id, if it was created by `now`."""
        item = self._items.get((platform, wire_id))
        return item if item is not None and item.created_at <= now else None

    def _add_account(self, account: Account) -> Owner:
        platform = account.platform
        owner = Owner(
            identity.account_id(platform, account.account_id), identity.handle(platform, account.handle), account
        )
        self._by_id[platform, owner.id] = owner
        self._by_handle.setdefault((platform, account.handle.removeprefix("@").casefold()), owner)
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
        self._items[platform, wire_id] = item


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
