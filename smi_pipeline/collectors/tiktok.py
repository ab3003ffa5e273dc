"""TikTok Research API: each account's figures, then the videos of up to fifty accounts in one query.

Requests: one token in two hours, one an account, and for each group of fifty names and each span of at most thirty days
one a hundred videos (short pages make it more). Days are of UTC and nobody says whether the last one is included: the
spans reach a day beyond the window and overlap by one, and `create_time` decides. A missing, renamed, private and
age-gated account get the same answer. Ids are integers beyond 2^53.
Source: developers.tiktok.com, Research API; answers recorded by tiktok-library.
"""

from __future__ import annotations

import asyncio
import re
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any, ClassVar

from pydantic import AliasChoices, Field, TypeAdapter

from smi_pipeline.collectors.asked import Asked, without_refused
from smi_pipeline.collectors.credentials import Redactor, credential
from smi_pipeline.collectors.fields import BigId, Count, Epoch, Flag, PostRecord, Record, Text, Texts, compact, read
from smi_pipeline.collectors.harvest import Harvest
from smi_pipeline.collectors.http import Http, Wire
from smi_pipeline.collectors.paging import Pages, cursor_text
from smi_pipeline.collectors.quota import Budget, Endpoint, Ledger
from smi_pipeline.collectors.reader import Reader, answered_at, same_author
from smi_pipeline.collectors.records import CollectionError, Outcome, Window
from smi_pipeline.collectors.stream import Emit, each
from smi_pipeline.collectors.verdict import (
    OK,
    BadPayload,
    Kind,
    Refusal,
    Reply,
    Verdict,
    by_status,
    decided,
    part,
    words,
)
from smi_pipeline.settings import Settings

PAGE_SIZE = 100
SPAN = timedelta(days=30)
DAY = timedelta(days=1)
STALE_WAITS = (5.0, 10.0, 20.0)  # seconds; a cursor or search id refused right after the first page is good soon after
RESTARTS = 2
REMEDY = "set SMI_TIKTOK_CLIENT_KEY and SMI_TIKTOK_CLIENT_SECRET of a client with the scope research.data.basic"

_KINDS: dict[str, Kind] = {
    "invalid_client": "auth",
    "access_token_invalid": "stale_token",
    "access_token_expired": "stale_token",
    "scope_not_authorized": "auth",
    "scope_permission_missed": "auth",
    "rate_limit_exceeded": "throttle",
    "40100": "throttle",
    "daily_quota_limit_exceeded": "quota",
    "internal_error": "transient",
    "timeout": "transient",
}


def _videos(reply: Reply) -> int:
    """What counts against the day's records."""
    videos = reply.part("data", "videos")
    return len(videos) if isinstance(videos, list) else 0


# The token is no request of the Research API: only those count against its day.
TOKEN = Endpoint("oauth/token", units=0)
USER_INFO, VIDEO_QUERY = Endpoint("research/user/info"), Endpoint("research/video/query", records=_videos)


class TikTokUser(Record):
    """An account. The answer has neither its id nor its name. Likes and videos are sums over its life."""

    display_name: Text
    is_verified: Flag = None
    follower_count: Count = None
    following_count: Count = None
    likes_count: Count = None
    video_count: Count = None


class TikTokVideo(PostRecord):
    """A video. TikTok's own example calls the id `video_id` and has no name, its answers `id` and `username`."""

    time_field: ClassVar[str] = "create_time"

    id: BigId = Field(validation_alias=AliasChoices("id", "video_id"))
    create_time: Epoch
    username: Text = None
    video_description: Text = None
    region_code: Text = None
    like_count: Count = None
    comment_count: Count = None
    share_count: Count = None
    view_count: Count = None
    favorites_count: Count = None
    video_duration: Count = None
    hashtag_names: Texts = None


USER = TypeAdapter(TikTokUser)
VIDEOS = TypeAdapter(list[TikTokVideo])


def classify(reply: Reply) -> Verdict:
    """What an answer means, by the error's code: 200 may carry an error, and 429 is one of two."""
    error = reply.part("error")
    if isinstance(error, str):  # only the token's answer: {"error": "invalid_client", "error_description": …}
        said = words(error, reply.part("error_description"))
        verdict = by_status(reply, said, remedy=REMEDY)
        return verdict if verdict.kind in ("throttle", "transient") else Verdict("auth", said, remedy=REMEDY)
    code = str(part(error, "code") or "")
    said = words(code, part(error, "message"))
    message = str(part(error, "message") or "")
    kind = _invalid(message) if code == "invalid_params" else _KINDS.get(code)
    if kind is None and code == "invalid_params" and "field" in message.lower():
        return Verdict("bad_field", said, named=tuple(re.findall(r"\w+", message)))
    if kind is not None:
        return decided(kind, reply, said, remedy=REMEDY)
    verdict = by_status(reply, said, remedy=REMEDY)
    if verdict is OK and code != "ok" and reply.part("access_token") is None:
        return Verdict("failed", said or "drift: an answer without an error object")
    return verdict


def _invalid(message: str) -> Kind | None:
    """One code for many things; here nothing but the message tells them apart."""
    if "cannot find the user" in message or "cannot return this user" in message:
        return "unavailable"
    return "stale_cursor" if "count or cursor" in message or message.startswith("Search Id") else None


def create(settings: Settings, wire: Wire) -> TikTokReader:
    """A collector for TikTok."""
    key = credential(settings, "tiktok", "tiktok_client_key")
    secret = credential(settings, "tiktok", "tiktok_client_secret")
    http = Http(
        "tiktok",
        settings.base_url("tiktok"),
        classify=classify,
        redact=Redactor([key, secret]),
        concurrency=settings.concurrency,
        wire=wire,
        ledger=Ledger(
            "tiktok",
            (
                Budget("units", settings.tiktok_requests_a_day, "day"),
                Budget("records", settings.tiktok_records_a_day, "day"),
            ),
        ),
        a_minute=settings.a_minute("tiktok"),
    )
    form = {"client_key": key, "client_secret": secret, "grant_type": "client_credentials"}
    return TikTokReader(http, form, settings.tiktok_names_a_query)


class TikTokReader(Reader):
    """Reads accounts by name. Holds the client token, which nobody else sees."""

    platform = "tiktok"

    def __init__(self, http: Http, form: dict[str, str], names_a_query: int) -> None:
        super().__init__(http)
        self._form = form
        self._names_a_query = names_a_query
        self._token = ""
        self._renewing = asyncio.Lock()

    async def probe(self) -> None:
        """Ask for a token."""
        await self._fresh_token("")

    async def glance(self, harvests: list[Harvest], emit: Emit) -> None:
        """Accounts one by one."""

        async def known(harvest: Harvest) -> Outcome:
            await self._user(harvest)
            return "answered"

        async def one(harvest: Harvest) -> None:
            await self.settle(harvest, emit, known)

        await each(harvests, one, at_once=self.http.readers)

    async def work(self, harvests: list[Harvest], emit: Emit) -> None:
        """Accounts one by one; those that are there in groups, asked as soon as a group is full or nobody is left."""
        ready: list[Harvest] = []
        left = len(harvests)

        async def one(harvest: Harvest) -> None:
            nonlocal ready, left
            try:
                with self.http.reading():
                    await self._user(harvest)
            except Refusal as refusal:
                await emit(self.refused(harvest, refusal))
            else:
                ready.append(harvest)
            left -= 1
            if ready and (len(ready) == self._names_a_query or left == 0):
                group, ready = ready, []
                await self._group(group, emit)

        await each(harvests, one, at_once=self.http.readers)

    async def _user(self, harvest: Harvest) -> None:
        harvest.platform_account_id = harvest.account.handle
        body = {"username": harvest.account.handle}
        fields = self.asked("account", harvest)
        self.needed(0, 1)
        reply = await without_refused(lambda: self._ask(USER_INFO, fields, body), fields)
        record = reply.part("data")
        user = read(USER, record, "the account")
        same_author("the account", harvest.account.handle, [record], "username")  # the contract has no name in it
        harvest.observe(user, record, answered_at(reply))
        harvest.left_out(fields.refused)

    async def _group(self, harvests: list[Harvest], emit: Emit) -> None:
        """All videos of up to fifty accounts: a group is read whole, or taken apart where an answer cannot be taken.

        Whom of the group a refusal or drift means is not said: each is requested alone, and only those it means fail.
        """
        refused: Refusal | None = None
        at = max(harvest.observed_at for harvest in harvests if harvest.observed_at is not None)
        try:
            with self.http.reading():
                for first, last in spans(harvests[0].window, at):
                    await self._span(harvests, first, last)
        except Refusal as refusal:
            if not refusal.unanswered and len(harvests) > 1:
                for harvest in harvests:
                    await self._group([harvest], emit)
                return
            refused = refusal

        async def read_already(harvest: Harvest) -> Outcome:
            if refused is not None:
                raise refused
            harvest.left_out(self.asked("post", harvest).refused)
            return "answered"

        for harvest in harvests:
            await self.settle(harvest, emit, read_already)

    async def _span(self, harvests: list[Harvest], first: date, last: date) -> None:
        names = list(dict.fromkeys(harvest.account.handle for harvest in harvests))
        query = {
            "query": {"and": [{"operation": "IN", "field_name": "username", "field_values": names}]},
            "start_date": f"{first:%Y%m%d}",
            "end_date": f"{last:%Y%m%d}",
            "max_count": PAGE_SIZE,
        }
        pages = Pages()
        try:
            for restart in range(RESTARTS + 1):
                pages.restart()
                try:
                    return await self._pages(harvests, query, pages)
                except Refusal as refusal:
                    if refusal.kind != "stale_cursor" or restart == RESTARTS:
                        raise
        finally:
            self.needed(pages.seen, PAGE_SIZE)

    async def _pages(self, harvests: list[Harvest], query: dict[str, Any], pages: Pages) -> None:
        """One search from its first page. Short and even empty pages come in between: only `has_more` ends it."""
        owners = defaultdict(list)
        for harvest in harvests:
            owners[harvest.account.handle.casefold()].append(harvest)
        place: dict[str, Any] = {"cursor": 0}
        fields = self.asked("post", harvests[0])
        while True:
            reply = await self._patiently(fields, query | place)
            items = reply.part("data", "videos")
            videos = read(VIDEOS, items, "the videos")
            pages.page(video.id for video in videos)
            own: dict[str, list[int]] = defaultdict(list)
            for index, video in enumerate(videos):
                if video.username is None:
                    drifted = f"{index}.username", compact(items[index])
                    raise Refusal("failed", "drift in the videos: a video without username", drifted=drifted)
                own[video.username.casefold()].append(index)
            for name, some in owners.items():  # names match loosely there: others' videos may be among the answers
                for harvest in some:
                    records, payloads = [videos[i] for i in own[name]], [items[i] for i in own[name]]
                    harvest.add(records, payloads, answered_at(reply))
            more = reply.part("data", "has_more")
            if not isinstance(more, bool):  # nothing else tells a last page from one of many
                raise Refusal("failed", "drift in the videos: has_more is neither true nor false")
            if not more:
                return
            place = _next(reply)
            pages.turn(str(place["cursor"]))

    async def _patiently(self, fields: Asked, body: dict[str, Any]) -> Reply:
        """A page of a search; asked again for a while where its cursor or search id is not known yet."""

        async def ask() -> Reply:
            return await without_refused(lambda: self._ask(VIDEO_QUERY, fields, body), fields)

        for wait in STALE_WAITS:
            try:
                return await ask()
            except Refusal as refusal:
                if refusal.kind != "stale_cursor":
                    raise
                await self.http.sleep(wait)
        return await ask()

    async def _ask(self, endpoint: Endpoint, fields: Asked, body: dict[str, Any]) -> Reply:
        """Ask with the current token; with a new one, once, where it is no longer good."""
        token = self._token or await self._fresh_token("")
        try:
            return await self._ask_with(token, endpoint, fields, body)
        except Refusal as refusal:
            if refusal.kind != "stale_token":
                raise
        token = await self._fresh_token(token)
        try:
            return await self._ask_with(token, endpoint, fields, body)
        except Refusal as refusal:
            if refusal.kind != "stale_token":
                raise
            self.http.stop(CollectionError(f"tiktok refused a new token: {refusal.detail}", remedy=REMEDY))

    async def _ask_with(self, token: str, endpoint: Endpoint, fields: Asked, body: dict[str, Any]) -> Reply:
        headers = {"authorization": f"Bearer {token}"}
        path = f"v2/{endpoint.name}/"
        most = PAGE_SIZE if endpoint is VIDEO_QUERY else 0
        return await self.http.ask(
            endpoint, path, params={"fields": str(fields)}, json_body=body, headers=headers, most=most
        )

    async def _fresh_token(self, stale: str) -> str:
        """Another token than `stale`. Whoever needs one meanwhile waits for this one instead of asking as well."""
        async with self._renewing:
            if self._token == stale:
                self.needed(0, 1)
                try:
                    reply = await self.http.ask(TOKEN, f"v2/{TOKEN.name}/", form=self._form, secret=True)
                except Refusal as refusal:
                    raise CollectionError(f"tiktok: no token: {refusal.detail}", retryable=True) from None
                token = reply.part("access_token")
                if not isinstance(token, str) or not token or not token.isascii() or not token.isprintable():
                    raise BadPayload("the answer has no access_token", at=reply.at)
                self.http.redact.learn(token)
                self._token = token
            return self._token


def _next(reply: Reply) -> dict[str, Any]:
    """Where the next page of a search begins.

    Raises:
        Refusal: drift, it is not said although there is one.
    """
    cursor, search = reply.part("data", "cursor"), reply.part("data", "search_id")
    if type(cursor) is not int and not cursor_text(cursor, "the videos"):
        raise Refusal("failed", "drift in the videos: has_more without a cursor", at=reply.at)
    return {"cursor": cursor, "search_id": search if type(search) is int else cursor_text(search, "the videos") or None}


def spans(window: Window, at: datetime) -> Iterator[tuple[date, date]]:
    """Days of UTC, first and last, at most thirty a span, that surely cover the window and end no later than `at`.

    Each span begins on the last day of the one before: where an end were not included, that day would be lost.
    """
    first = window.start.astimezone(UTC).date() - DAY
    last = min((window.end - timedelta.resolution).astimezone(UTC).date() + DAY, at.date())
    while first <= last:
        end = min(first + SPAN - DAY, last)
        yield first, end
        if end == last:
            return
        first = end
