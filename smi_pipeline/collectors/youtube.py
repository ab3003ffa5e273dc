"""YouTube Data API v3: channels, the uploads of each back to the window's start, videos in fifties across channels.

Requests, one quota unit each: one a channel where only its handle is known, one for fifty channels where the id is; one
a page of fifty uploads up to the first page wholly before the window; one for fifty videos of the window, whosesoever.
The list has no window and no order by time of publication (scheduled videos stand where they were added).
Counts are strings; `likeCount` and `commentCount` are absent where hidden; subscribers are rounded to three figures.
Source: discovery document youtube.v3 revision 20261104; developers.google.com/youtube/v3/determine_quota_cost.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from pydantic import AliasPath, Field, TypeAdapter

from smi_pipeline.collectors.asked import Asked, without_refused
from smi_pipeline.collectors.credentials import Redactor, credential
from smi_pipeline.collectors.fields import (
    AccountId,
    Bad,
    Digits,
    Flag,
    Moment,
    PostId,
    PostRecord,
    Record,
    Text,
    Time,
    compact,
    read,
)
from smi_pipeline.collectors.harvest import ENOUGH, Harvest
from smi_pipeline.collectors.http import Http, Wire
from smi_pipeline.collectors.paging import Pages, cursor_text, fewest
from smi_pipeline.collectors.quota import Budget, Endpoint, Ledger
from smi_pipeline.collectors.reader import Reader, answered_at, same_author, same_name
from smi_pipeline.collectors.records import Outcome
from smi_pipeline.collectors.stream import Emit, each, together
from smi_pipeline.collectors.verdict import (
    OK,
    Found,
    Kind,
    Refusal,
    Reply,
    Verdict,
    by_status,
    decided,
    is_good,
    part,
    words,
)
from smi_pipeline.settings import Settings

BATCH = 50
PAGE_SIZE = 50
QUOTA_ZONE = ZoneInfo("America/Los_Angeles")
CHANNELS, UPLOADS_LIST, VIDEOS_LIST = Endpoint("channels.list"), Endpoint("playlistItems.list"), Endpoint("videos.list")

_REASONS: dict[Kind, tuple[str, ...]] = {
    "quota": ("quotaExceeded", "dailyLimitExceeded"),
    "throttle": ("rateLimitExceeded", "userRateLimitExceeded"),
    "auth": ("keyInvalid", "keyExpired", "accessNotConfigured", "authError", "forbidden", "ipRefererBlocked"),
    "no_list": ("playlistNotFound",),
    "missing": ("channelNotFound", "channelClosed"),
    "suspended": ("channelSuspended",),
    "private": ("playlistItemsNotAccessible", "playlistForbidden"),
    "failed": ("channelForbidden",),  # of fifty asked for at once it does not say which
    "bad_page_token": ("invalidPageToken",),
}
_KINDS = {reason: kind for kind, reasons in _REASONS.items() for reason in reasons}
REMEDY = "set a valid SMI_YOUTUBE_API_KEY of a project with the YouTube Data API enabled"


class YouTubeChannel(Record):
    """A channel. `subscriberCount` is absent or meaningless where `hiddenSubscriberCount` is true."""

    id: AccountId
    title: Text = Field(None, validation_alias=AliasPath("snippet", "title"))
    customUrl: Text = Field(None, validation_alias=AliasPath("snippet", "customUrl"))  # noqa: N815 - the API's name
    uploads: Text = Field(None, validation_alias=AliasPath("contentDetails", "relatedPlaylists", "uploads"))
    subscriberCount: Digits = Field(None, validation_alias=AliasPath("statistics", "subscriberCount"))  # noqa: N815
    viewCount: Digits = Field(None, validation_alias=AliasPath("statistics", "viewCount"))  # noqa: N815
    videoCount: Digits = Field(None, validation_alias=AliasPath("statistics", "videoCount"))  # noqa: N815
    hiddenSubscriberCount: Flag = Field(None, validation_alias=AliasPath("statistics", "hiddenSubscriberCount"))  # noqa: N815


class Upload(PostRecord):
    """An item of the uploads list. Without a time of publication the video is private or deleted."""

    time_field: ClassVar[str] = "videoPublishedAt"

    id: PostId = Field(validation_alias=AliasPath("contentDetails", "videoId"))
    videoPublishedAt: Time | None = Field(None, validation_alias=AliasPath("contentDetails", "videoPublishedAt"))  # noqa: N815


class YouTubeVideo(PostRecord):
    """A video: `videoPublishedAt` as the uploads list has it, `publishedAt` as the video's own snippet does."""

    time_field: ClassVar[str] = "videoPublishedAt"

    id: PostId = Field(validation_alias=AliasPath("video", "id"))
    videoPublishedAt: Time = Field(validation_alias=AliasPath("playlistItem", "contentDetails", "videoPublishedAt"))  # noqa: N815
    publishedAt: Text = Field(None, validation_alias=AliasPath("video", "snippet", "publishedAt"))  # noqa: N815
    title: Text = Field(None, validation_alias=AliasPath("video", "snippet", "title"))
    description: Text = Field(None, validation_alias=AliasPath("video", "snippet", "description"))
    viewCount: Digits = Field(None, validation_alias=AliasPath("video", "statistics", "viewCount"))  # noqa: N815
    likeCount: Digits = Field(None, validation_alias=AliasPath("video", "statistics", "likeCount"))  # noqa: N815
    commentCount: Digits = Field(None, validation_alias=AliasPath("video", "statistics", "commentCount"))  # noqa: N815


CHANNEL = TypeAdapter(YouTubeChannel)
UPLOADS = TypeAdapter(list[Upload])
VIDEOS = TypeAdapter(list[YouTubeVideo])


def classify(reply: Reply) -> Verdict:
    """What an answer means: by the error's reason, never by its message but where nothing else tells.

    That is a key that is not valid, and the name of the limit that was reached: a day's is not waited out.
    """
    error = reply.part("error")
    if not isinstance(error, dict):
        if is_good(reply) and reply.part("items") is None and reply.part("pageInfo") is None:
            return Verdict("failed", "drift: an answer without items and pageInfo")
        return by_status(reply, "", remedy=REMEDY)
    reason, message = str(part(error, "errors", 0, "reason") or ""), str(error.get("message") or "")
    said = words(reason, message)
    kind = _KINDS.get(reason)
    details = error.get("details")
    if message.startswith("API key not valid") or (
        isinstance(details, list) and "API_KEY_INVALID" in (part(detail, "reason") for detail in details)
    ):
        kind = "auth"
    if kind == "throttle" and _is_of_a_day(details, message):
        kind = "quota"
    if reason == "unknownPart":
        return Verdict("bad_field", said, named=tuple(re.findall(r"\w+", message)))
    if kind is not None:
        return decided(kind, reply, said, remedy=REMEDY, quota_zone=QUOTA_ZONE)
    verdict = by_status(reply, said, remedy=REMEDY)
    return Verdict("failed", said) if verdict is OK else verdict


def _is_of_a_day(details: Any, message: str) -> bool:
    """Whether the limit that was reached is one of a day: its name and its unit say so, the reason does not."""
    listed = details if isinstance(details, list) else []
    units = [str(part(one, "metadata", "quota_unit")) for one in listed]
    return any(unit.startswith("1/d/") for unit in units) or re.search(r"limit '[^']* per day'", message) is not None


def create(settings: Settings, wire: Wire) -> YouTubeReader:
    """A collector for YouTube."""
    key = credential(settings, "youtube", "youtube_api_key")
    return YouTubeReader(
        Http(
            "youtube",
            settings.base_url("youtube"),
            classify=classify,
            redact=Redactor([key]),
            params={"key": key},
            concurrency=settings.concurrency,
            wire=wire,
            ledger=Ledger("youtube", (Budget("units", settings.youtube_units_a_day, "day"),), QUOTA_ZONE),
            a_minute=settings.a_minute("youtube"),
        )
    )


@dataclass
class _Channel:
    """A channel whose uploads are listed: what videos of the window are still to be asked for."""

    harvest: Harvest
    waiting: dict[str, Any] = field(default_factory=dict)  # by video id, the item of the uploads list
    refusal: Refusal | None = None
    outcome: Outcome = "answered"
    gone: int = 0


class YouTubeReader(Reader):
    """Reads channels: by id where the registry knows it, by handle otherwise."""

    platform = "youtube"

    def __init__(self, http: Http) -> None:
        super().__init__(http)
        self._videos: _Videos | None = None

    async def probe(self) -> None:
        """Ask for one channel."""
        await self.http.ask(CHANNELS, "channels", params={"part": "id", "forHandle": "@YouTube"})

    async def glance(self, harvests: list[Harvest], emit: Emit) -> None:
        """Channels alone."""

        async def settled(harvest: Harvest, record: Any, reply: Reply) -> None:
            async def known(harvest: Harvest) -> Outcome:
                return self._observe(harvest, record, reply)[1]

            await self.settle(harvest, emit, known)

        await self._channels(harvests, emit, settled)

    async def work(self, harvests: list[Harvest], emit: Emit) -> None:
        """Channels, then uploads, then videos; each step goes on while the one before it still does."""
        videos = self._videos = _Videos(self, emit)

        async def listing(harvest: Harvest, record: Any, reply: Reply) -> None:
            channel = _Channel(harvest)
            try:
                with self.http.reading():
                    await self._uploads(channel, record, reply)
            except Refusal as refusal:
                channel.refusal = refusal
            await videos.take(channel)

        await self._channels(harvests, emit, listing)
        await videos.finish()

    @property
    def least(self) -> int:
        """See `Reader`. Videos are asked for in fifties, whosesoever they are."""
        return super().least + (-(-self._videos.wanted // BATCH) if self._videos is not None else 0)

    async def _channels(
        self, harvests: list[Harvest], emit: Emit, then: Callable[[Harvest, Any, Reply], Awaitable[None]]
    ) -> None:
        """The channels' own records: of those whose id is known in fifties, of the others one by one.

        Two fifties at a time: while uploads of the one are listed the other's channels are asked for.
        """
        fields = self.asked("account", harvests[0])

        async def by_id(some: list[Harvest]) -> None:
            ids = ",".join(dict.fromkeys(str(harvest.account.platform_account_id) for harvest in some))
            try:
                with self.http.reading():
                    reply = await self._channels_page(fields, id=ids, maxResults=BATCH)
                    found = _whole(reply)
            except Refusal as refusal:
                for harvest in some:
                    await emit(self.refused(harvest, refusal))
                return

            async def one(harvest: Harvest) -> None:
                try:
                    record = found.get(str(harvest.account.platform_account_id))
                except Refusal as refusal:
                    await emit(self.refused(harvest, refusal))
                else:
                    await then(harvest, record, reply)

            await each(some, one, at_once=self.http.readers)

        async def by_handle(harvest: Harvest) -> None:
            try:
                with self.http.reading():
                    reply = await self._channels_page(fields, forHandle=f"@{harvest.account.handle}")
                    record = _whole(reply).only()
            except Refusal as refusal:
                await emit(self.refused(harvest, refusal))
            else:
                await then(harvest, record, reply)

        known = [harvest for harvest in harvests if harvest.account.platform_account_id]
        named = [harvest for harvest in harvests if not harvest.account.platform_account_id]
        await each((known[first : first + BATCH] for first in range(0, len(known), BATCH)), by_id, at_once=2)
        await each(named, by_handle, at_once=self.http.readers)

    async def _channels_page(self, fields: Asked, **which: str | int) -> Reply:
        self.needed(0, 1)
        return await without_refused(
            lambda: self.http.ask(CHANNELS, "channels", params={"part": str(fields), **which}), fields
        )

    def _observe(self, harvest: Harvest, record: Any, reply: Reply) -> tuple[YouTubeChannel, Outcome]:
        """Take the channel's own record.

        Raises:
            Refusal: there is none.
        """
        at = answered_at(reply)
        if record is None:
            raise Refusal("missing", "the answer has no such channel", at=at)
        found, account = read(CHANNEL, record, "the channel"), harvest.account
        # Without `@` it is an address of the time before handles.
        named = found.customUrl.removeprefix("@") if found.customUrl and found.customUrl.startswith("@") else None
        if account.platform_account_id is None and named is not None:
            same_name(account, named)
        harvest.platform_account_id = found.id
        harvest.observe(found, record, at)
        harvest.left_out(self.asked("account", harvest).refused)
        return found, "answered" if named is None else harvest.called(named)

    async def _uploads(self, channel: _Channel, record: Any, reply: Reply) -> None:
        """The channel's own record, then its uploads up to the first page wholly before the window."""
        at, harvest = answered_at(reply), channel.harvest
        found, channel.outcome = self._observe(harvest, record, reply)
        if not found.uploads:
            raise Refusal("failed", "drift in the channel: no uploads playlist", at=at)
        pages = Pages()
        try:
            await self._list(channel, found.uploads, pages)
        except Refusal as refusal:
            if refusal.kind != "no_list":
                raise
            if found.videoCount not in (None, "0"):
                raise Refusal("unavailable", f"{refusal.detail}; videoCount {found.videoCount}", at=at) from None
            harvest.notes.append(f"no public uploads ({refusal.detail})")
        finally:
            self.needed(pages.seen, PAGE_SIZE)

    async def _list(self, channel: _Channel, playlist: str, pages: Pages) -> None:
        token, restarted, dated, undated, listed = "", False, 0, 0, 0
        totals: list[tuple[Any, int]] = []
        while True:
            try:
                reply = await self._uploads_page(playlist, token)
            except Refusal as refusal:
                if refusal.kind != "bad_page_token" or restarted:
                    raise
                token, restarted, listed, totals = "", True, 0, []
                pages.restart()
                continue
            records = reply.listed("items")
            listed += len(records)
            totals.append((reply.part("pageInfo", "totalResults"), listed))
            uploads = read(UPLOADS, records, "the uploads")
            dates = [upload.videoPublishedAt for upload in uploads if upload.videoPublishedAt is not None]
            dated, undated = dated + len(dates), undated + len(uploads) - len(dates)
            pages.page(upload.id for upload in uploads)
            older = _note(channel, uploads, records, answered_at(reply))
            if pages.seen >= ENOUGH:  # where no time can be read, none is older: the list would be read to its end
                channel.harvest.require_placed()
            token = cursor_text(reply.part("nextPageToken"), "the uploads")
            if older:
                break
            if not token:
                _as_many_as_said(reply, listed, totals)
                break
            pages.turn(token)
        if undated and not dated:
            raise Refusal("failed", f"drift in the uploads: none of {undated} has videoPublishedAt", at=reply.at)

    async def _uploads_page(self, playlist: str, token: str) -> Reply:
        params: dict[str, str | int] = {"part": "contentDetails", "playlistId": playlist, "maxResults": PAGE_SIZE}
        return await self.http.ask(
            UPLOADS_LIST, "playlistItems", params=params | ({"pageToken": token} if token else {})
        )


def _note(channel: _Channel, uploads: list[Upload], items: list[Any], at: datetime) -> bool:
    """Remember the videos of the window on a page of uploads; gives whether all of the page is older."""
    harvest, times = channel.harvest, []
    for upload, item in zip(uploads, items, strict=True):
        moment = upload.videoPublishedAt
        if isinstance(moment, Moment):
            times.append(moment.instant)
            if moment.instant not in harvest.window:
                harvest.placed = True
                continue
        if isinstance(moment, Bad) or (moment is not None and isinstance(upload.id, Bad)):
            harvest.refuse(upload, {"playlistItem": item}, at)
        elif moment is not None:
            harvest.placed = True
            channel.waiting[str(upload.id)] = item
    return bool(times) and max(times) < harvest.window.start


class _Videos:
    """Asks for videos in full batches, whosesoever they are, and hands over a channel with its last one."""

    def __init__(self, reader: YouTubeReader, emit: Emit) -> None:
        self._reader = reader
        self._emit = emit
        self._waiting: list[tuple[_Channel, str]] = []
        self.wanted = 0

    async def take(self, channel: _Channel) -> None:
        """A channel is listed: hand it over if nothing is to be asked, else ask as soon as a batch is full."""
        if channel.refusal is not None or not channel.waiting:
            await self._settle(channel)
            return
        self._waiting += [(channel, video) for video in channel.waiting]
        self.wanted += len(channel.waiting)
        batches = []
        while len(self._waiting) >= BATCH:
            batch, self._waiting = self._waiting[:BATCH], self._waiting[BATCH:]
            batches.append(batch)
        await together(*map(self._ask, batches))

    async def finish(self) -> None:
        """All channels are listed: the last batch need not be full."""
        if self._waiting:
            await self._ask(self._waiting)

    async def _ask(self, batch: list[tuple[_Channel, str]]) -> None:
        fields = self._reader.asked("post", batch[0][0].harvest)
        try:
            with self._reader.http.reading():
                reply = await without_refused(
                    lambda: self._reader.http.ask(
                        VIDEOS_LIST, "videos", params={"part": str(fields), "id": _ids(batch)}
                    ),
                    fields,
                )
                found = _whole(reply)
        except Refusal as refusal:
            for channel, _ in batch:
                channel.refusal = channel.refusal or refusal
        else:
            self._add(batch, found, answered_at(reply))
        for channel, video in batch:
            channel.waiting.pop(video, None)
        # Decided before the first of them is waited for: another batch of the same channel may end meanwhile.
        done = [channel for channel in {id(channel): channel for channel, _ in batch}.values() if not channel.waiting]
        for channel in done:
            await self._settle(channel)

    def _add(self, batch: list[tuple[_Channel, str]], found: Found, at: datetime) -> None:
        for channel in {id(channel): channel for channel, _ in batch}.values():
            videos = [video for owner, video in batch if owner is channel]
            try:
                with self._reader.http.reading():
                    there = {video: one for video in videos if (one := found.get(video)) is not None}
                    payloads = [{"playlistItem": channel.waiting[v], "video": one} for v, one in there.items()]
                    owner = channel.harvest.platform_account_id
                    same_author("the uploads", owner, payloads, "playlistItem", "snippet", "channelId")
                    same_author("the uploads", owner, payloads, "video", "snippet", "channelId")
                    channel.gone += len(videos) - len(payloads)
                    records = read(VIDEOS, payloads, "the videos")
                    channel.harvest.add(records, payloads, at)
            except Refusal as refusal:
                channel.refusal = refusal

    async def _settle(self, channel: _Channel) -> None:
        async def read_already(harvest: Harvest) -> Outcome:
            if channel.refusal is not None:
                raise channel.refusal
            if channel.gone:
                harvest.notes.append(f"{channel.gone} listed videos are no longer public")
            harvest.left_out(self._reader.asked("post", harvest).refused)
            return channel.outcome

        await self._reader.settle(channel.harvest, self._emit, read_already)


def _whole(reply: Reply) -> Found:
    """The records of an answer by id; lacking some where it says that there are more."""
    found, told, listed = reply.by_key("items", "id"), reply.part("pageInfo", "totalResults"), reply.listed("items")
    if found.lacking is None and type(told) is int and told > len(listed):
        return replace(found, lacking=f"drift in the answer: {len(listed)} items although totalResults is {told}")
    return found


def _as_many_as_said(reply: Reply, listed: int, totals: list[tuple[Any, int]]) -> None:
    """Make sure that a list which is read to its end has shown as many items as it says there are.

    Raises:
        Refusal: drift, it has not, or it neither shows any nor says that there are none.
    """
    told = fewest(totals)
    if (told is not None and told > listed) or (told is None and reply.part("items") is None):
        said = f"drift in the uploads: {listed} items although totalResults is {compact(told)}"
        raise Refusal("failed", said, at=reply.at)


def _ids(batch: list[tuple[_Channel, str]]) -> str:
    return ",".join(dict.fromkeys(video for _, video in batch))
