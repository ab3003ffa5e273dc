"""The scenario as a data set directory: what the sandbox serves.

Beside the figures there is what happens to real accounts: posts deleted and edited between the two cuts, reposts, an
account suspended and one renamed, secondary accounts outside the index. None of it changes a figure of the index.
"""

from __future__ import annotations

import csv
import random
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from smi_pipeline.sandbox.dataset import COLUMNS, OPTIONAL_COLUMNS, Counts, Kind, Platform
from smi_pipeline.sandbox.scenario.cases import cases
from smi_pipeline.sandbox.scenario.experts import ratings
from smi_pipeline.sandbox.scenario.figures import AccountMonth, figures
from smi_pipeline.sandbox.scenario.split import SHANGHAI, PostFigures, split
from smi_pipeline.sandbox.scenario.words.texts import CityNames, edited, text

SEED = 2025
_HERE = Path(__file__).parent
_Row = tuple[object, ...]
_DELETED, _EDITED, _REPOSTED = (
    0.004,
    0.01,
    0.012,
)  # of the posts: so many more that vanish, so many edited, reposts on X


def write_scenario(directory: Path, seed: int = SEED) -> None:
    """Write the data set of a seed into `directory`, which is replaced whole once everything is written."""
    directory.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=f".{directory.name}.", dir=directory.parent))
    try:
        new = aside / "new"
        shutil.copytree(_HERE / "registry", new / "registry")
        shutil.copyfile(_HERE / "README.md", new / "README.md")
        _write(new, seed)
        if directory.exists():
            directory.rename(aside / "old")
        new.rename(directory)
    finally:
        shutil.rmtree(aside)


def _write(folder: Path, seed: int) -> None:
    months = figures(seed)
    accounts = _Accounts()
    posts, snapshots = [], []
    for post, snapshot in _Posts(accounts, seed).rows(split(months, seed)):
        posts.append(post)
        snapshots += snapshot
    _table(folder, "accounts", accounts.rows(months))
    _table(folder, "posts", posts)
    _table(folder, "snapshots", snapshots)
    _table(folder, "followers", _followers(months, accounts))
    (folder / "expert_scores").mkdir()
    for month, given in ratings(seed).items():
        _csv(folder / "expert_scores" / f"{month}.csv", ("rater", "city_id", "criterion", "score"), given)


class _Accounts:
    """The registry's accounts and cities, and the ids they are known by."""

    def __init__(self) -> None:
        with (_HERE / "registry" / "accounts.csv").open(encoding="utf-8", newline="") as stream:
            self.registered = list(csv.DictReader(stream))
        with (_HERE / "registry" / "cities.csv").open(encoding="utf-8", newline="") as stream:
            self.cities = {
                row["city_id"]: CityNames(row["city_id"], row["name_en"], row["name_zh"])
                for row in csv.DictReader(stream)
            }
        self._main = {(row["platform"], row["city_id"]): row for row in self.registered if row["in_index"] == "true"}

    def of(self, platform: str, city_id: str) -> tuple[str, str]:
        """Id and handle of a city's account of the index; the handle is the id where an API knows no other."""
        row = self._main[platform, city_id]
        return row["account_id"] or row["handle"], row["handle"]

    def rows(self, months: list[AccountMonth]) -> Iterator[_Row]:
        """accounts.csv: the followers of the newest month, and what happened to the account."""
        newest: dict[tuple[str, str], int] = {(one.platform, one.city_id): one.followers for one in months}
        for row in self.registered:
            key = (row["platform"], row["city_id"])
            followers = newest[key] if row["in_index"] == "true" else 1200 + int(row["city_id"]) % 700
            event = cases().events.get(row["handle"] if row["platform"] == "x" else "")
            handle, former = row["handle"], ""
            if event is not None and event.new_handle:
                handle, former = event.new_handle, row["handle"]
            yield (
                row["platform"],
                row["account_id"] or row["handle"],
                handle,
                f"{self.cities[row['city_id']].english} {'' if row['role'] == 'main' else row['role'] + ' '}(sandbox)",
                followers,
                "",
                _instant(event.suspended_at) if event and event.suspended_at else "",
                _instant(event.renamed_at) if event and event.renamed_at else "",
                former,
            )


class _Posts:
    """The rows of posts.csv and snapshots.csv."""

    def __init__(self, accounts: _Accounts, seed: int) -> None:
        self._accounts = accounts
        self._seed = seed
        self._draw = random.Random(f"{seed}/beside")  # noqa: S311  made-up posts

    def rows(self, posts: Iterable[PostFigures]) -> Iterator[tuple[_Row, list[_Row]]]:
        for post in posts:
            yield self._told(post)
            if self._draw.random() < _DELETED:
                yield self._deleted(post), []
            if post.platform == "x" and self._draw.random() < _REPOSTED:
                yield self._repost(post), []
        yield from ((row, []) for row in self._secondary())

    def _told(self, post: PostFigures) -> tuple[_Row, list[_Row]]:
        account, handle = self._accounts.of(post.platform, post.city_id)
        words = text(post, self._accounts.cities[post.city_id], handle, self._seed)
        post_id = _post_id(post.platform, account, post.city_id, post.created_at, post.number)
        row = (
            post.platform, account, post_id, _instant(post.created_at), post.kind, words,
            _permalink(post.platform, handle, post_id), *(post.early or post.counts), "",
        )  # fmt: skip
        is_edited = post.case is None and self._draw.random() < _EDITED
        if post.early is None and not is_edited:
            return row, []
        seen_at = _after(post.created_at, 9, 12)
        later = edited(words, self._seed) if is_edited else ""
        return row, [(post.platform, account, post_id, _instant(seen_at), *post.counts, later)]

    def _deleted(self, post: PostFigures) -> _Row:
        """A post of the same account, an hour later, that is there on the 3rd and gone on the 10th."""
        at = min(post.created_at + timedelta(hours=1, seconds=7), _after(post.created_at, 1, 0) - timedelta(seconds=1))
        gone = _after(at, 3, 6) + timedelta(hours=self._draw.randrange(5, 160))
        few = Counts(*[None if count is None else self._draw.randrange(3, 40) for count in post.counts])
        return self._beside(post, at, post.kind, "Corrected version follows.", few, 9000, _instant(gone))

    def _repost(self, post: PostFigures) -> _Row:
        at = min(
            post.created_at + timedelta(minutes=13, seconds=3), _after(post.created_at, 1, 0) - timedelta(seconds=2)
        )
        counts = Counts(0, None, self._draw.randrange(2, 900), None)
        return self._beside(post, at, "repost", "RT @sbx_friends: a good day to travel", counts, 8000, "")

    def _beside(
        self, post: PostFigures, at: datetime, kind: Kind, words: str, counts: Counts, offset: int, gone: str
    ) -> _Row:
        account, handle = self._accounts.of(post.platform, post.city_id)
        post_id = _post_id(post.platform, account, post.city_id, at, offset + post.number)
        link = _permalink(post.platform, handle, post_id)
        return (post.platform, account, post_id, _instant(at), kind, words, link, *counts, gone)

    def _secondary(self) -> Iterator[_Row]:
        """A few posts a month of the accounts outside the index."""
        for row in self._accounts.registered:
            if row["in_index"] == "true":
                continue
            account, city = row["account_id"] or row["handle"], self._accounts.cities[row["city_id"]]
            for month in range(14):
                for number in range(self._draw.randrange(2, 6)):
                    day, hour = self._draw.randrange(1, 28), self._draw.randrange(8, 22)
                    at = datetime(2024 + (month + 4) // 12, (month + 4) % 12 + 1, day, hour, tzinfo=SHANGHAI)
                    post_id = _post_id(row["platform"], account, row["city_id"], at, 7000 + number)
                    words = f"News from {city.english}: what is open this week. {city.tag}"
                    link = _permalink(row["platform"], row["handle"], post_id)
                    counts = (self._draw.randrange(5, 90), self._draw.randrange(0, 6), self._draw.randrange(0, 9), "")
                    yield (row["platform"], account, post_id, _instant(at), "photo", words, link, *counts, "")


def _followers(months: list[AccountMonth], accounts: _Accounts) -> Iterator[_Row]:
    """What an account showed a few hours before the cuts of the 3rd and the 10th, from its first month on."""
    for one in months:
        account, _ = accounts.of(one.platform, one.city_id)
        first = datetime.fromisoformat(f"{one.month}-01T00:00:00+08:00")
        yield one.platform, account, _instant(_after(first, 3, 2)), one.followers
        later = one.followers + max(one.followers - one.opening, 0) // 5 if one.opening is not None else one.followers
        yield one.platform, account, _instant(_after(first, 10, 1)), later


def _after(at: datetime, day: int, hour: int) -> datetime:
    """A day and hour of the month after the one `at` lies in, in Asia/Shanghai."""
    local = at.astimezone(SHANGHAI)
    return datetime(local.year + local.month // 12, local.month % 12 + 1, day, hour, tzinfo=SHANGHAI)


def _post_id(platform: Platform | str, account: str, city_id: str, at: datetime, number: int) -> str:
    """An id of the platform's form, unique by city, second and number, outside what the platforms give out."""
    seconds = int(at.timestamp()) - 1_700_000_000
    unique = f"{seconds:09d}{city_id[:4]}{number % 10_000:04d}"  # 17 digits
    match platform:
        case "facebook":
            return f"{account}_9{unique}"
        case "x":
            return f"9{unique}"
        case "instagram":
            return f"9{unique[:17]}"
        case "youtube":
            return _letters(int(unique))
        case _:
            return f"8{unique}"


_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def _letters(number: int) -> str:
    """A number as the eleven letters of a YouTube id."""
    told = ""
    for _ in range(11):
        number, digit = divmod(number, 64)
        told = _ALPHABET[digit] + told
    return told


def _permalink(platform: Platform | str, handle: str, post_id: str) -> str:
    return f"https://{platform}.example/{handle}/{post_id}"


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").removesuffix("+00:00") + "Z"


def _table(folder: Path, name: str, rows: Iterable[_Row]) -> None:
    optional = (column for column in OPTIONAL_COLUMNS[name] if column != "added_at")  # no video is scheduled here
    _csv(folder / f"{name}.csv", (*COLUMNS[name], *optional), rows)


def _csv(path: Path, header: tuple[str, ...], rows: Iterable[_Row]) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
