"""X API v2: users by a hundred names at a time, then each one's timeline over the window.

Requests: one a hundred accounts, one a hundred posts of the window and account (short pages make it more), and none for
windows before 6 November 2010, the API's first instant. Retweets are kept and told by `referenced_tweet_types`. Asked
in the older vocabulary (`tweet.fields`); answers in the newer one are read as well.
Source: github.com/xdevplatform/docs, openapi 2.167.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any, ClassVar

from pydantic import AliasChoices, AliasPath, Field, TypeAdapter

from smi_pipeline.collectors.asked import Asked, without_refused
from smi_pipeline.collectors.credentials import Redactor, credential
from smi_pipeline.collectors.fields import (
    AccountId,
    Count,
    Flag,
    PostId,
    PostRecord,
    Record,
    Text,
    Texts,
    Time,
    compact,
    read,
)
from smi_pipeline.collectors.harvest import Harvest
from smi_pipeline.collectors.http import Http, Wire
from smi_pipeline.collectors.paging import Pages, cursor_text
from smi_pipeline.collectors.quota import Budget, Endpoint, Ledger
from smi_pipeline.collectors.reader import Reader, answered_at, same_author, same_owner
from smi_pipeline.collectors.records import Outcome
from smi_pipeline.collectors.stream import Emit, each
from smi_pipeline.collectors.verdict import Kind, Refusal, Reply, Verdict, by_status, part, words
from smi_pipeline.settings import Settings

BATCH = 100
PAGE_SIZE, LEAST_PAGE = 100, 5
EARLIEST = datetime(2010, 11, 6, tzinfo=UTC)
HISTORY = 3_200  # a timeline shows its newest posts up to this number, and ends there without a word
BUSY_DAY = 100  # posts a day that an account may make after the window before the limit is thought of
JUST_NOW = timedelta(seconds=30)  # an end closer to now than this is refused


def _objects(reply: Reply) -> int:
    """What X bills of an answer: the users or posts in it."""
    data = reply.part("data")
    return len(data) if isinstance(data, list) else 0


# Per app; an account's own timeline may be read 900 times in that time by one user, which an app is not.
USERS = Endpoint("users", records=_objects, usd_a_record=0.010, rate=(300, 900))
TIMELINE = Endpoint("timeline", records=_objects, usd_a_record=0.005, rate=(10_000, 900))
POSTS_A_MONTH = 3_000_000


def _metric(*names: str) -> Any:
    return Field(None, validation_alias=AliasChoices(*(AliasPath("public_metrics", name) for name in names)))


class XUser(Record):
    """An account. `protected` ones show nothing to an app."""

    id: AccountId
    username: Text = None
    name: Text = None
    created_at: Text = None
    protected: Flag = None
    followers_count: Count = _metric("followers_count")
    following_count: Count = _metric("following_count")
    tweet_count: Count = _metric("tweet_count", "post_count")
    listed_count: Count = _metric("listed_count")


class XPost(PostRecord):
    """A post, a reply or a retweet. `impression_count` exists since about December 2022.

    `media_types` is empty for a post without attachments, null where their kind was not told.
    """

    time_field: ClassVar[str] = "created_at"

    id: PostId
    created_at: Time
    text: Text = None
    lang: Text = None
    retweet_count: Count = _metric("retweet_count", "repost_count")
    reply_count: Count = _metric("reply_count")
    like_count: Count = _metric("like_count")
    quote_count: Count = _metric("quote_count")
    bookmark_count: Count = _metric("bookmark_count")
    impression_count: Count = _metric("impression_count")
    referenced_tweet_types: Texts = None
    media_types: Texts = None


USER = TypeAdapter(XUser)
POSTS = TypeAdapter(list[XPost])
Then = Callable[[Harvest, dict[str, Any], Reply], Awaitable[Outcome]]  # what is to be done with a user who is there


_ABOUT_ACCOUNTS: dict[str, Kind] = {"not-authorized-for-resource": "private", "resource-not-found": "missing"}


def classify(reply: Reply) -> Verdict:
    """What an answer means: problem objects say it by `type` and `title`, and 402 by its status alone."""
    body = reply.body
    kind = str(part(body, "type") or "")
    said = words(part(body, "title"), part(body, "detail"), part(body, "errors", 0, "message"))
    match reply.status:
        case HTTPStatus.OK:
            if not isinstance(body, dict) or not {"data", "errors", "meta"} & body.keys():
                return Verdict("failed", words("drift: an answer without data, errors and meta", said))
        case HTTPStatus.PAYMENT_REQUIRED:
            return Verdict("quota", words("HTTP 402", said), remedy="buy credits for the app of SMI_X_BEARER_TOKEN")
        case HTTPStatus.TOO_MANY_REQUESTS if kind.endswith("/usage-capped") and reply.at is not None:
            month_end = (reply.at.replace(day=1) + timedelta(days=32)).replace(day=1)
            return Verdict("quota", said, resume_at=month_end.replace(hour=0, minute=0, second=0, microsecond=0))
        case HTTPStatus.BAD_REQUEST if (parameters := part(body, "errors", 0, "parameters")) is not None:
            stale, named = part(parameters, "pagination_token") is not None, _refused_values(parameters)
            return Verdict("bad_page_token" if stale else "bad_field" if named else "failed", said, named=named)
        case HTTPStatus.FORBIDDEN | HTTPStatus.NOT_FOUND if about := _ABOUT_ACCOUNTS.get(kind.rpartition("/")[2]):
            return Verdict(about, said)
    return by_status(reply, said, remedy="set a valid SMI_X_BEARER_TOKEN of an app enrolled for API v2")


def _refused_values(parameters: Any) -> tuple[str, ...]:
    """The values of the field parameters that a bad request is blamed on; a message lists all the good ones as well."""
    found = parameters.items() if isinstance(parameters, dict) else ()
    return tuple(
        value.strip("[] ")
        for name, values in found
        if str(name).endswith(".fields") and isinstance(values, list)
        for value in values
        if isinstance(value, str)
    )


def create(settings: Settings, wire: Wire) -> XReader:
    """A collector for X."""
    token = credential(settings, "x", "x_bearer_token")
    return XReader(
        Http(
            "x",
            settings.base_url("x"),
            classify=classify,
            redact=Redactor([token]),
            headers={"authorization": f"Bearer {token}"},
            concurrency=settings.concurrency,
            wire=wire,
            ledger=Ledger("x", tuple(_budgets(settings))),
        )
    )


def _budgets(settings: Settings) -> Iterator[Budget]:
    yield Budget("records", POSTS_A_MONTH, "month")
    if settings.x_usd_a_month is not None:
        yield Budget("usd", settings.x_usd_a_month, "month")


class XReader(Reader):
    """Reads accounts by name; one whose name is gone is looked for by its id, where the registry knows it."""

    platform = "x"

    async def probe(self) -> None:
        """Ask for one user."""
        await self.http.ask(USERS, "2/users/by", params={"usernames": "XDevelopers"}, most=1)

    async def glance(self, harvests: list[Harvest], emit: Emit) -> None:
        """Users in hundreds: their figures come with them."""

        async def known(harvest: Harvest, record: dict[str, Any], reply: Reply) -> Outcome:
            return self._observe(harvest, record, reply)[1]

        await self._batches(harvests, emit, known)

    async def work(self, harvests: list[Harvest], emit: Emit) -> None:
        """Users in hundreds, then the timelines of those that are there."""
        await self._batches(harvests, emit, self._timeline)

    async def _batches(self, harvests: list[Harvest], emit: Emit, then: Then) -> None:
        """Two hundreds at a time: while timelines of the one are read the other's users are looked up."""
        batches = (harvests[first : first + BATCH] for first in range(0, len(harvests), BATCH))
        await each(batches, lambda batch: self._batch(batch, emit, then), at_once=2)

    async def _batch(self, harvests: list[Harvest], emit: Emit, then: Then) -> None:
        try:
            with self.http.reading():
                found = await self._users(harvests)
        except Refusal as refusal:
            for harvest in harvests:
                await emit(self.refused(harvest, refusal))
            return

        async def rest(harvest: Harvest) -> Outcome:
            return await then(harvest, *found[id(harvest)])

        async def one(harvest: Harvest) -> None:
            await self.settle(harvest, emit, rest)

        await each(harvests, one, at_once=self.http.readers)

    async def _users(self, harvests: list[Harvest]) -> dict[int, tuple[Any, Reply]]:
        """What was said of each: the user, or the problem with it, and the answer it stood in."""
        fields = self.asked("account", harvests[0])
        names = list(dict.fromkeys(harvest.account.handle.lower() for harvest in harvests))
        said = await self._lookup("2/users/by", "usernames", names, "username", fields)
        found = {id(harvest): said[harvest.account.handle.lower()] for harvest in harvests}
        # A name nobody has any more may be an account that goes on under another one.
        lost = {
            harvest.account.platform_account_id: harvest
            for harvest in harvests
            if harvest.account.platform_account_id
            and _problem(found[id(harvest)][0]) in ("missing", "unavailable", "failed")
        }
        if lost:
            ids = [*filter(None, lost)]
            for user_id, known in (await self._lookup("2/users", "ids", ids, "id", fields)).items():
                if "problem" not in known[0]:
                    found[id(lost[user_id])] = known
        return found

    async def _lookup(
        self, path: str, parameter: str, values: Sequence[str], key: str, fields: Asked
    ) -> dict[str, tuple[Any, Reply]]:
        self.needed(len(values), BATCH)
        listed = ",".join(values)
        reply = await without_refused(
            lambda: self.http.ask(
                USERS, path, params={parameter: listed, "user.fields": str(fields)}, most=len(values)
            ),
            fields,
        )
        said: dict[str, tuple[Any, Reply]] = {}
        for problem in reply.listed("errors"):
            for name in ("value", "resource_id"):
                said[str(part(problem, name)).lower()] = ({"problem": problem}, reply)
        found = reply.by_key("data", key)
        said |= {called.lower(): (user, reply) for called, user in found.records.items()}
        unnamed = "drift in the answer: it names the account neither among the users nor among the errors"
        nothing = {"problem": {"title": found.lacking or unnamed}}
        return {value: said.get(value, (nothing, reply)) for value in values}

    async def _timeline(self, harvest: Harvest, record: dict[str, Any], reply: Reply) -> Outcome:
        """The account's own record is there: read its posts of the window."""
        at, window = answered_at(reply), harvest.window
        user, outcome = self._observe(harvest, record, reply)
        if window.end <= EARLIEST:
            harvest.notes.append(f"not asked: the API begins at {EARLIEST:%Y-%m-%d}")
            return outcome
        params: dict[str, str | int] = {"expansions": "attachments.media_keys", "media.fields": "type"}
        # Whether the start is included is not written anywhere; the cut decides.
        start = window.start - timedelta(seconds=1)
        if start >= EARLIEST:
            params["start_time"] = _iso(start)
        if window.end <= at - JUST_NOW:
            params["end_time"] = _iso(window.end)
        pages = Pages()
        try:
            await self._posts(harvest, params, pages)
        finally:
            self.needed(pages.seen, PAGE_SIZE)
        if await self._is_cut_off(harvest, user, pages.seen, at):
            harvest.notes.append(f"the timeline shows the newest {HISTORY} posts and ends before the window's start")
            return "truncated"
        return outcome

    def _observe(self, harvest: Harvest, record: dict[str, Any], reply: Reply) -> tuple[XUser, Outcome]:
        """Take the account's own record.

        Raises:
            Refusal: there is none, it is another's, or it is protected.
        """
        at, account = answered_at(reply), harvest.account
        outcome: Outcome = "answered"
        if "problem" in record:
            raise Refusal(_problem(record) or "failed", _said(record["problem"]), at=at)
        user = read(USER, record, "the user")
        if (user.username or "").lower() == account.handle.lower():
            same_owner(account, user.id)
        else:
            outcome = harvest.called(user.username or "not told")
        harvest.platform_account_id = user.id
        harvest.observe(user, record, at)
        harvest.left_out(self.asked("account", harvest).refused)
        if user.protected:
            raise Refusal("private", "the account is protected", at=at)
        return user, outcome

    async def _posts(self, harvest: Harvest, params: dict[str, str | int], pages: Pages) -> None:
        """All pages of the window."""
        path, token, fields = f"2/users/{harvest.platform_account_id}/tweets", "", self.asked("post", harvest)
        restarted = False

        async def page() -> Reply:
            place = params | ({"pagination_token": token} if token else {})
            # At the end of a budget a page is no larger than what is left of it.
            size = max(LEAST_PAGE, int(min(PAGE_SIZE, self.http.room(TIMELINE))))
            asked = place | {"max_results": size, "tweet.fields": str(fields)}
            return await self.http.ask(TIMELINE, path, params=asked, most=size)

        while True:
            try:
                reply = await without_refused(page, fields)
            except Refusal as refusal:
                if refusal.kind != "bad_page_token" or restarted:
                    raise
                token, restarted = "", True  # tokens may expire
                pages.restart()
                continue
            _as_many_as_said(reply)  # a page without posts may still name a next one
            items, payloads = _with_media(reply)
            posts = read(POSTS, items, "the timeline")
            same_author("the timeline", harvest.platform_account_id, payloads, "author_id")
            pages.page(post.id for post in posts)
            older = harvest.add(posts, payloads, answered_at(reply))
            token = cursor_text(reply.part("meta", "next_token"), "the timeline")  # a short page is not the last one
            if older or not token:
                break
            pages.turn(token)
        harvest.left_out(fields.refused)

    async def _is_cut_off(self, harvest: Harvest, user: XUser, posts: int, at: datetime) -> bool:
        """Whether the limit on a timeline's length lies within the window or after it.

        Only where that can be is it asked for: by looking for anything older than the window.
        """
        window = harvest.window
        since = max((at - window.end) / timedelta(days=1), 0) * BUSY_DAY
        if (isinstance(user.tweet_count, int) and user.tweet_count <= HISTORY) or posts + since < HISTORY:
            return False
        if window.start <= EARLIEST:
            return posts >= HISTORY
        self.needed(0, 1)
        params: dict[str, str | int] = {"max_results": LEAST_PAGE, "end_time": _iso(window.start)}
        reply = await self.http.ask(TIMELINE, f"2/users/{user.id}/tweets", params=params, most=LEAST_PAGE)
        _as_many_as_said(reply)
        return not reply.part("data")


def _iso(instant: datetime) -> str:
    return f"{instant.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _problem(record: Any) -> Kind | None:
    """What a problem object says of an account; null where it is no problem.

    Only what X documents of an account decides it: any other problem (over capacity, for one) passes.
    """
    problem = part(record, "problem")
    if problem is None:
        return None
    kind, text = str(part(problem, "type") or ""), words(part(problem, "title"), part(problem, "detail")).lower()
    if "suspended" in text:
        return "suspended"
    if kind.endswith("/not-authorized-for-resource") or "not authorized" in text:
        return "private"
    if kind.endswith("/resource-not-found"):
        return "missing"
    return "unavailable" if kind.endswith("/resource-unavailable") else "failed"


def _said(problem: Any) -> str:
    return words(part(problem, "title"), part(problem, "detail"))


def _as_many_as_said(reply: Reply) -> None:
    """Make sure that a page of a timeline holds as many posts as it says.

    Raises:
        Refusal: drift, it does not; or it has no posts, and the reason stands in its errors.
    """
    data, told = reply.part("data"), reply.part("meta", "result_count")
    problem = reply.part("errors", 0)
    if data is None and problem is not None:
        raise Refusal(_problem({"problem": problem}) or "failed", _said(problem), at=reply.at)
    there = len(data) if isinstance(data, list) else 0
    if type(told) is not int or told != there:
        said = f"drift in the timeline: {there} posts although meta.result_count is {compact(told)}"
        raise Refusal("failed", said, at=reply.at)


def _with_media(reply: Reply) -> tuple[Any, list[Any]]:
    """A page's posts with the types of their media and references, and their payloads with the media themselves.

    Media stand beside the posts of a page, and a post alone would not tell a video.
    """
    data = reply.part("data")
    listed = reply.part("includes", "media")
    media = {str(part(one, "media_key")): one for one in listed} if isinstance(listed, list) else {}
    payloads = []
    for post in data if isinstance(data, list) else ():
        keys = part(post, "attachments", "media_keys")
        own = [media[key] for key in map(str, keys) if key in media] if isinstance(keys, list) else []
        payloads.append({**post, "includes": {"media": own}} if own else post)
    return ([item(payload) for payload in payloads], payloads) if data is None or isinstance(data, list) else (data, [])


def item(payload: Any) -> Any:
    """A post's payload with the types of its references and media where `XPost` looks for them."""
    if not isinstance(payload, dict):
        return payload
    references = payload.get("referenced_tweets") or payload.get("referenced_posts")
    types = [part(one, "type") for one in references] if isinstance(references, list) else []
    kinds = [kind for one in part(payload, "includes", "media") or [] if (kind := part(one, "type")) is not None]
    # Attached and yet told by no medium: of an unknown kind, which is not the same as a post of text alone.
    unknown = not kinds and part(payload, "attachments", "media_keys")
    return {**payload, "media_types": None if unknown else kinds, "referenced_tweet_types": types}
