"""X API v2: users, timelines and posts for an app-only bearer token, in both of its vocabularies.

A request that says `post.fields` is answered in the newer words (`repost_count`, `post_count`, `referenced_posts`,
`includes.posts`), every other in the older ones. Quotes, bookmarks, languages and the posts behind retweets are not in
a data set and so not in an answer; whoever expands a retweet's original is told beside the data that it is not there.
But the newer specification knows no post without quotes and bookmarks and no user without `following_count` and
`listed_count`: there they are 0, all `shares` having gone out as reposts.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

from smi_pipeline.sandbox import identity, tokens
from smi_pipeline.sandbox.exchange import CREDENTIAL, Answer, Ask, RefusedError, iso, present, words
from smi_pipeline.sandbox.kinds import WORDS
from smi_pipeline.sandbox.limits import Allowances
from smi_pipeline.sandbox.world import Item, Owner, World
from smi_pipeline.sandbox.x_query import QueryError, Test, parse

HISTORY = 3_200
HISTORY_WITHOUT_REPLIES = 800
MAX_IDS = 100
EARLIEST = datetime(2010, 11, 6, tzinfo=UTC)
WINDOW_SECONDS = 900
SEARCH_DAYS = 30  # how far a search looks back that names no start
COUNT_DAYS = 31  # how much one answer of counts covers
GRANULARITIES = {"minute": timedelta(minutes=1), "hour": timedelta(hours=1), "day": timedelta(days=1)}

_PROBLEMS = "https://api.x.com/2/problems"
_SHARED_FIELDS = (
    "attachments,author_id,context_annotations,conversation_id,created_at,display_text_range,edit_controls,entities,geo,"
    "id,in_reply_to_user_id,lang,non_public_metrics,note_tweet,organic_metrics,possibly_sensitive,promoted_metrics,"
    "public_metrics,reply_settings,scopes,source,text,withheld,article,card_uri,community_id,media_metadata"
)
_USER_FIELDS = words(
    "affiliation,confirmed_email,connection_status,created_at,description,entities,id,is_identity_verified,location,"
    "most_recent_tweet_id,most_recent_post_id,name,parody,pinned_tweet_id,pinned_post_id,profile_banner_url,"
    "profile_image_url,protected,public_metrics,receives_your_dm,subscribes_to_you,subscription,subscription_type,url,username,verified,"
    "verified_followers_count,verified_type,withheld"
)
_MEDIA_FIELDS = words(
    "alt_text,duration_ms,height,media_key,non_public_metrics,organic_metrics,preview_image_url,promoted_metrics,"
    "public_metrics,type,url,variants,width"
)
_URL = re.compile(r"https?://[^\s]+")


@dataclass(frozen=True, slots=True)
class _Vocabulary:
    """The words that differ between the two."""

    word: str
    fields_parameter: str
    reposts: str
    total: str
    referenced: str
    history: str
    required_of_posts: tuple[str, ...] = ()
    required_of_users: tuple[str, ...] = ()
    further_fields: str = ""
    further_expansions: str = ""

    @property
    def included(self) -> str:
        return f"{self.word}s"

    @property
    def fields(self) -> list[str]:
        return [*words(_SHARED_FIELDS), self.referenced, self.history, *words(self.further_fields)]

    @property
    def expansions(self) -> list[str]:
        shared = (
            "author_id,in_reply_to_user_id,attachments.media_keys,attachments.poll_ids,geo.place_id,article.cover_media,"
            "article.media_entities,attachments.media_source_tweet,entities.mentions.username"
        )
        return words(
            f"{shared},{self.referenced}.id,{self.referenced}.id.author_id,{self.history},pinned_{self.word}_id,"
            f"most_recent_{self.word}_id,{self.further_expansions}"
        )


_OLDER = _Vocabulary(
    "tweet", "tweet.fields", "retweet_count", "tweet_count", "referenced_tweets", "edit_history_tweet_ids"
)
_NEWER = _Vocabulary(
    *("post", "post.fields", "repost_count", "post_count", "referenced_posts", "edit_history_post_ids"),
    required_of_posts=("quote_count", "bookmark_count"),
    required_of_users=("following_count", "listed_count"),
    further_fields="article_title,matched_media_notes,note_post,note_request_suggestions,paid_partnership,"
    "suggested_source_links,suggested_source_links_with_counts",
    further_expansions="referenced_posts,username",
)


class X:
    """Answers for users and their posts. Keeps the number of calls in the current quarter of an hour."""

    def __init__(self, world: World, allowances: Allowances) -> None:
        self._world = world
        self._allowances = allowances
        self._searched: datetime | None = None
        self._used: dict[tuple[str, int], int] = {}
        self._routes: list[tuple[re.Pattern[str], str, Callable[[Ask, str], Any]]] = [
            (re.compile(r"/2/users/by"), "users", self._users_by_names),
            (re.compile(r"/2/users/by/username/([^/]+)"), "users", self._user_by_name),
            (re.compile(r"/2/users"), "users", self._users_by_ids),
            (re.compile(r"/2/users/([^/]+)"), "users", self._user_by_id),
            (re.compile(r"/2/users/([^/]+)/(?:tweets|posts)"), "timeline", self._timeline),
            (re.compile(r"/2/(?:tweets|posts)"), "posts", self._posts_by_ids),
            (re.compile(r"/2/(?:tweets|posts)/([^/]+)"), "posts", self._post_by_id),
            (re.compile(r"/2/(?:tweets|posts)/search/all"), "search", self._search),
            (re.compile(r"/2/(?:tweets|posts)/counts/all"), "counts", self._counts),
            (re.compile(r"/2/usage/(?:tweets|posts)"), "usage", self._usage),
        ]

    def answer(self, ask: Ask) -> Answer:
        """Answer one request under /2/.

        Raises:
            RefusedError: the platform's own error.
        """
        of_a_user = _is_of_a_user(ask)
        if ask.bearer != CREDENTIAL and not of_a_user:
            raise _problem(HTTPStatus.UNAUTHORIZED, "Unauthorized")
        path = ask.path.rstrip("/")
        for pattern, limit, respond in self._routes:
            match = pattern.fullmatch(path)
            if match is not None and ask.method == "GET":
                headers = self._counted(limit, ask)
                try:
                    if of_a_user and limit in ("search", "counts", "usage"):
                        raise _problem(HTTPStatus.FORBIDDEN, "Unsupported Authentication", "unsupported-authentication")
                    if limit != "usage":
                        self._allowances.left_of_x(ask)
                    return Answer(respond(ask, "".join(match.groups())), headers=headers)
                except RefusedError as refused:
                    answer = refused.answer
                    raise RefusedError(Answer(answer.body, answer.status, headers)) from None
        raise _problem(HTTPStatus.NOT_FOUND, "Not Found")

    def _counted(self, limit: str, ask: Ask) -> dict[str, str]:
        """Count a call against its limit and tell what is left.

        Raises:
            RefusedError: 429, nothing is left until the time in `x-rate-limit-reset`.
        """
        window, allowed = int(ask.now.timestamp()) // WINDOW_SECONDS, int(getattr(ask.limits.x, limit))
        used = self._used.get((limit, window), 0) + 1
        self._used = {key: count for key, count in self._used.items() if key[1] == window} | {(limit, window): used}
        headers = {
            "x-rate-limit-limit": str(allowed),
            "x-rate-limit-remaining": str(max(allowed - used, 0)),
            "x-rate-limit-reset": str((window + 1) * WINDOW_SECONDS),
            "x-access-level": "read",
        }
        if used > allowed or (limit == "search" and self._is_too_soon(ask.now)):
            raise _problem(HTTPStatus.TOO_MANY_REQUESTS, "Too Many Requests", headers=headers)
        return headers

    def _is_too_soon(self, now: datetime) -> bool:
        """Whether a search comes within a second of the one before it that was let in."""
        if self._searched is not None and timedelta(0) <= now - self._searched < timedelta(seconds=1):
            return True
        self._searched = now
        return False

    def _users_by_names(self, ask: Ask, _: str) -> dict[str, Any]:
        _known_parameters(ask, "usernames", "user.fields", "expansions", "tweet.fields", "post.fields")
        names = _listed(ask, "usernames", "[A-Za-z0-9_]{1,15}")
        return self._users(ask, "usernames", names, lambda name: self._world.by_handle("x", name, ask.now))

    def _users_by_ids(self, ask: Ask, _: str) -> dict[str, Any]:
        _known_parameters(ask, "ids", "user.fields", "expansions", "tweet.fields", "post.fields")
        return self._users(
            ask, "ids", _listed(ask, "ids", "[0-9]{1,19}"), lambda user: self._world.by_id("x", user, ask.now)
        )

    def _users(self, ask: Ask, parameter: str, asked: list[str], find: Callable[[str], Owner | None]) -> dict[str, Any]:
        found = {value: find(value) for value in asked}
        errors = [self._no_user(ask, parameter, value) for value, owner in found.items() if owner is None]
        owners = list(dict.fromkeys(owner for owner in found.values() if owner is not None))
        data = [_user(owner, ask) for owner in owners]
        return present(data=data or None, includes=_of_users(owners, ask), errors=errors or None)

    def _user_by_name(self, ask: Ask, name: str) -> dict[str, Any]:
        _known_parameters(ask, "user.fields", "expansions", "tweet.fields", "post.fields")
        _matching("username", name, "[A-Za-z0-9_]{1,15}")
        return self._one_user(ask, "username", name, self._world.by_handle("x", name, ask.now))

    def _user_by_id(self, ask: Ask, user: str) -> dict[str, Any]:
        _known_parameters(ask, "user.fields", "expansions", "tweet.fields", "post.fields")
        _matching("id", user, "[0-9]{1,19}")
        return self._one_user(ask, "id", user, self._world.by_id("x", user, ask.now))

    def _one_user(self, ask: Ask, parameter: str, value: str, owner: Owner | None) -> dict[str, Any]:
        if owner is None:
            return {"errors": [self._no_user(ask, parameter, value)]}
        return present(data=_user(owner, ask), includes=_of_users([owner], ask))

    def _no_user(self, ask: Ask, parameter: str, value: str) -> dict[str, Any]:
        """Why there is no such user to show: suspended, or nobody."""
        problem = _not_found("user", parameter, value)
        if self._world.is_suspended("x", value, ask.now):
            problem |= {"title": "Forbidden", "detail": f"User has been suspended: [{value}]."}
        return problem

    def _timeline(self, ask: Ask, user: str) -> dict[str, Any]:
        _known_parameters(
            ask,
            *words("max_results,pagination_token,start_time,end_time,since_id,until_id,exclude,expansions"),
            *words("tweet.fields,post.fields,media.fields,user.fields,poll.fields,place.fields"),
        )
        _matching("id", user, "[0-9]{1,19}")
        size = _page_size(ask)
        view = _View(ask)
        owner = self._world.by_id("x", user, ask.now)
        if owner is None:
            return {"errors": [self._no_user(ask, "id", user)]}
        return _page(owner, _reachable(owner, ask), min(size, ask.behaviours.x.short_pages or size), view)

    def _posts_by_ids(self, ask: Ask, _: str) -> dict[str, Any]:
        _known_parameters(
            ask, *words("ids,expansions,tweet.fields,post.fields,media.fields,user.fields,poll.fields,place.fields")
        )
        view = _View(ask)
        found = {post: self._world.item("x", post, ask.now) for post in _listed(ask, "ids", "[0-9]{1,19}")}
        items = [item for item in found.values() if item is not None]
        missing = [_not_found("tweet", "ids", post) for post, item in found.items() if item is None]
        return present(
            data=[view.post(item) for item in items] or None,
            includes=view.includes(items),
            errors=[*missing, *view.lost(items)] or None,
        )

    def _post_by_id(self, ask: Ask, post: str) -> dict[str, Any]:
        _known_parameters(
            ask, *words("expansions,tweet.fields,post.fields,media.fields,user.fields,poll.fields,place.fields")
        )
        _matching("id", post, "[0-9]{1,19}")
        view = _View(ask)
        item = self._world.item("x", post, ask.now)
        if item is None:
            return {"errors": [_not_found("tweet", "id", post)]}
        return present(data=view.post(item), includes=view.includes([item]), errors=view.lost([item]) or None)

    def _search(self, ask: Ask, _: str) -> dict[str, Any]:
        _known_parameters(
            ask,
            *words("query,start_time,end_time,since_id,until_id,max_results,next_token,pagination_token,sort_order"),
            *words("expansions,tweet.fields,post.fields,media.fields,user.fields,poll.fields,place.fields"),
        )
        size, view = _page_size(ask, 10, 500), _View(ask)
        if "sort_order" in ask.params:
            _chosen(ask, "sort_order", ["recency", "relevancy"])
        found = self._found(ask, *_span(ask))
        scope = f"x search {ask.params['query']}"
        token = ask.params.get("next_token") or ask.params.get("pagination_token")
        stop = len(found)
        if token is not None:
            place = tokens.unseal_plain(scope, token)
            if place is None:
                raise _invalid("next_token", token, "is not valid")
            stop = min(place, stop)
        start = max(stop - size, 0)
        return _listed_posts(found[start:stop][::-1], view, tokens.seal_plain(scope, start) if start > 0 else None)

    def _counts(self, ask: Ask, _: str) -> dict[str, Any]:
        _known_parameters(
            ask,
            *words("query,start_time,end_time,since_id,until_id,granularity,next_token,pagination_token"),
            *words("search_count.fields,post.fields"),
        )
        newer = "post_count" in _chosen(ask, "search_count.fields", words("end,start,tweet_count,post_count"))
        word = (_NEWER if newer or "post.fields" in ask.params else _OLDER).word
        [unit] = _chosen(ask, "granularity", list(GRANULARITIES)) or ["hour"]
        step = GRANULARITIES[unit]
        start, end = _span(ask)
        scope = f"x counts {ask.params.get('query')} {unit}"
        token = ask.params.get("next_token") or ask.params.get("pagination_token")
        page = 0 if token is None else tokens.unseal_plain(scope, token)
        if page is None:
            raise _invalid("next_token", str(token), "is not valid")
        last = end - page * timedelta(days=COUNT_DAYS)
        first = max(last - timedelta(days=COUNT_DAYS), start)
        times = [item.created_at for item in self._found(ask, first, last)]
        buckets = []
        while first < last:
            whole = first - (first - datetime(1970, 1, 1, tzinfo=UTC)) % step
            until = min(whole + step, last)
            count = bisect_left(times, until) - bisect_left(times, first)
            times_of = {"end": iso(until, milliseconds=True), "start": iso(first, milliseconds=True)}
            buckets.append({**times_of, f"{word}_count": count})
            first = until
        more = tokens.seal_plain(scope, page + 1) if last - timedelta(days=COUNT_DAYS) > start else None
        total = {f"total_{word}_count": len(times)}
        return {"data": buckets, "meta": present(**total, next_token=more)}

    def _usage(self, ask: Ask, _: str) -> dict[str, Any]:
        _known_parameters(ask, "days", "usage.fields")
        days = _number(ask, "days", "7", 1, 90)
        known = words("cap_reset_day,daily_client_app_usage,daily_project_usage,project_cap,project_id,project_usage")
        wanted = _chosen(ask, "usage.fields", known) or known
        by_day = self._allowances.x_posts_by_day(ask.now, days)
        usage = [{"date": f"{day}T00:00:00.000Z", "usage": str(count)} for day, count in by_day.items()]
        values: dict[str, Any] = {
            "cap_reset_day": 1,
            "daily_client_app_usage": [{"client_app_id": "1", "usage": usage, "usage_result_count": len(usage)}],
            "daily_project_usage": {"project_id": "1", "usage": usage},
            "project_cap": str(ask.limits.x.posts_a_month),
            "project_id": "1",
            "project_usage": str(self._allowances.x_posts(ask.now)),
        }
        return {"data": {name: value for name, value in values.items() if name in wanted}}

    def _found(self, ask: Ask, start: datetime, end: datetime) -> list[Item]:
        """The posts that a query finds from `start` up to `end`, oldest first."""
        query = ask.params.get("query", "")
        try:
            test: Test = parse(query)
        except QueryError as error:
            raise _invalid("query", query, None, f"There were errors processing your request: {error}") from None
        since, until = (_id(ask, name) for name in ("since_id", "until_id"))
        found = [
            item
            for owner in self._world.owners("x", ask.now)
            for item in owner.items[owner.posts_before(start) : min(owner.posts_before(end), owner.posts_by(ask.now))]
            if (since is None or int(item.id) > since) and (until is None or int(item.id) < until)
            if test(item, item.text(ask.now))
        ]
        return sorted(found, key=lambda item: (item.created_at, int(item.id)))


class _View:
    """Which fields a request wants, and posts told with those and no others."""

    def __init__(self, ask: Ask, *further_expansions: str) -> None:
        self.ask = ask
        self.vocabulary = vocabulary = _NEWER if "post.fields" in ask.params else _OLDER
        fields = _chosen(ask, vocabulary.fields_parameter, vocabulary.fields)
        self.fields = {"id", "text", vocabulary.history, *fields}
        self.expansions = _chosen(ask, "expansions", [*vocabulary.expansions, *further_expansions])
        self.media_fields = {"media_key", "type", *_chosen(ask, "media.fields", _MEDIA_FIELDS)}
        if "attachments.media_keys" in self.expansions:
            self.fields.add("attachments")
        if "author_id" in self.expansions:
            self.fields.add("author_id")
        if {vocabulary.referenced, f"{vocabulary.referenced}.id"} & set(self.expansions):
            self.fields.add(vocabulary.referenced)

    def post(self, item: Item) -> dict[str, Any]:
        """One post with the asked-for fields that the data have."""
        counts, text = item.counts(self.ask.now), item.text(self.ask.now)
        metrics = present(
            **{self.vocabulary.reposts: counts.shares},
            reply_count=counts.comments,
            like_count=counts.likes,
            impression_count=counts.views,
            **dict.fromkeys(self.vocabulary.required_of_posts, 0),
        )
        media = [key for key, _ in _media(item)]
        values: dict[str, Any] = {
            "id": item.id,
            "text": text,
            self.vocabulary.history: [item.id],
            "created_at": iso(item.created_at, milliseconds=True),
            "author_id": item.owner.id,
            "conversation_id": item.id,
            "lang": "und",
            "possibly_sensitive": False,
            "reply_settings": "everyone",
            "public_metrics": metrics,
            "attachments": {"media_keys": media} if media else None,
            "entities": _entities(text),
            self.vocabulary.referenced: _referenced(item),
        }
        return {name: value for name, value in values.items() if name in self.fields and value is not None}

    def includes(self, items: Iterable[Item]) -> dict[str, Any] | None:
        """The expanded objects of a page; `None` = none."""
        media: list[dict[str, Any]] = []
        users: dict[str, dict[str, Any]] = {}
        for item in items:
            if "attachments.media_keys" in self.expansions:
                for key, kind in _media(item):
                    one = {"media_key": key, "type": kind}
                    media.append({name: value for name, value in one.items() if name in self.media_fields})
            if "author_id" in self.expansions:
                users[item.owner.id] = _user(item.owner, self.ask)
        posts = [self.post(item) for item in items] if self.vocabulary.history in self.expansions else []
        told = {self.vocabulary.included: posts or None}
        return present(media=media or None, users=list(users.values()) or None, **told) or None

    def lost(self, items: Iterable[Item]) -> list[dict[str, Any]]:
        """What was to be expanded and is not there: the originals of retweets."""
        asked = {self.vocabulary.referenced, f"{self.vocabulary.referenced}.id"} & set(self.expansions)
        originals = [one["id"] for item in items for one in _referenced(item) or ()] if asked else []
        return [_not_found(self.vocabulary.word, min(asked), original) for original in originals]


def _page(owner: Owner, places: list[int], size: int, view: _View) -> dict[str, Any]:
    """The next `size` of the reachable places, newest first."""
    token = view.ask.params.get("pagination_token") or view.ask.params.get("next_token")
    scope = f"x/{owner.id}"
    if token is not None:
        last = tokens.unseal_plain(scope, token)
        if last is None:
            raise _invalid("pagination_token", token, "is not valid")
        places = [place for place in places if place < last]
    items = [owner.items[place] for place in places[:size]]
    return _listed_posts(items, view, tokens.seal_plain(scope, items[-1].place) if len(places) > size else None)


def _listed_posts(items: list[Item], view: _View, next_token: str | None) -> dict[str, Any]:
    """A page of posts, newest first; one of none says so and has no data."""
    if not items:
        return {"meta": {"result_count": 0}}
    return present(
        data=[view.post(item) for item in items],
        includes=view.includes(items),
        errors=view.lost(items) or None,
        meta=present(result_count=len(items), newest_id=items[0].id, oldest_id=items[-1].id, next_token=next_token),
    )


def _span(ask: Ask) -> tuple[datetime, datetime]:
    """From when up to when a search looks: thirty days back where nothing is said."""
    end = _time(ask, "end_time") or ask.now
    start = _time(ask, "start_time") or max(end - timedelta(days=SEARCH_DAYS), EARLIEST)
    if end <= start:
        raise _invalid("end_time", ask.params.get("end_time", ""), "must be after the start_time")
    return start, end


def _reachable(owner: Owner, ask: Ask) -> list[int]:
    """The places of a timeline that a request may see, newest first: at most the newest 3,200 of all."""
    excluded = _chosen(ask, "exclude", ["replies", "retweets"])
    newest = owner.posts_by(ask.now)
    low = max(newest - (HISTORY_WITHOUT_REPLIES if "replies" in excluded else HISTORY), 0)
    start, end = _time(ask, "start_time"), _time(ask, "end_time")
    if start is not None and end is not None and end <= start:
        raise _invalid("end_time", ask.params["end_time"], "must be after the start_time")
    high = newest
    since, until = (_id(ask, name) for name in ("since_id", "until_id"))
    if since is None and start is not None:  # the ids win over the times
        low = max(low, owner.posts_before(start))
    if until is None and end is not None:
        high = min(high, owner.posts_before(end))
    items = owner.items
    return [
        place
        for place in range(high - 1, low - 1, -1)
        if not ("retweets" in excluded and items[place].kind == "repost")
        and (since is None or int(items[place].id) > since)
        and (until is None or int(items[place].id) < until)
    ]


def _user(owner: Owner, ask: Ask) -> dict[str, Any]:
    vocabulary = _NEWER if "post.fields" in ask.params else _OLDER
    wanted = {"id", "name", "username", *_chosen(ask, "user.fields", _USER_FIELDS)}
    now = ask.now
    since = (
        owner.times[0].replace(month=1, day=1, hour=0, minute=0, second=0, microsecond=0) if owner.times else EARLIEST
    )
    values: dict[str, Any] = {
        "id": owner.id,
        "name": owner.name,
        "username": owner.handle,
        "created_at": iso(since, milliseconds=True),
        "protected": False,
        "verified": False,
        f"most_recent_{vocabulary.word}_id": _newest(owner, now).id if owner.posts_by(now) else None,
        "public_metrics": present(
            followers_count=owner.followers(now),
            **{vocabulary.total: owner.posts_by(now)},
            **dict.fromkeys(vocabulary.required_of_users, 0),
        ),
    }
    return {name: value for name, value in values.items() if name in wanted and value is not None}


def _newest(owner: Owner, now: datetime) -> Item:
    return owner.items[owner.posts_by(now) - 1]


def _of_users(owners: list[Owner], ask: Ask) -> dict[str, Any] | None:
    """The newest posts of users, where they are to be expanded; `None` = nothing is."""
    view = _View(ask, "affiliation", "affiliation.user_id")
    if f"most_recent_{view.vocabulary.word}_id" not in view.expansions:
        return None
    posts = [view.post(_newest(owner, ask.now)) for owner in owners if owner.posts_by(ask.now)]
    return {view.vocabulary.included: posts} if posts else None


def _media(item: Item) -> list[tuple[str, str]]:
    """Key and type of each medium of a post."""
    families = {"photo": "3", "video": "13"}
    return [
        (f"{families[kind]}_{int(item.id) + number}", kind)
        for number, kind in enumerate(WORDS[item.kind].x_media_types)
    ]


def _referenced(item: Item) -> list[dict[str, str]] | None:
    kind = WORDS[item.kind].x_referenced_type
    if kind is None:
        return None
    original = identity.post_id("x", f"original of {item.id}", account=item.owner.id, created_at=item.created_at)
    return [{"type": kind, "id": original}]


def _entities(text: str) -> dict[str, Any] | None:
    urls = [
        {"start": match.start(), "end": match.end(), "url": match.group(), "expanded_url": match.group()}
        for match in _URL.finditer(text)
    ]
    tags = [
        {"start": match.start(), "end": match.end(), "tag": match.group(1)} for match in re.finditer(r"#(\w+)", text)
    ]
    return present(urls=urls or None, hashtags=tags or None) or None


def _known_parameters(ask: Ask, *known: str) -> None:
    for name, value in ask.params.items():
        if name not in known:
            raise _invalid(name, value, None, f"The query parameter [{name}] is not one of [{','.join(known)}]")


def _listed(ask: Ask, parameter: str, form: str) -> list[str]:
    """The values of a list parameter, 1 to 100 of them, each once."""
    values = [value.strip() for value in ask.params.get(parameter, "").split(",")]
    if values == [""]:
        raise _invalid(parameter, "", None, f"The `{parameter}` query parameter can not be empty")
    if len(values) > MAX_IDS:
        raise _invalid(
            parameter,
            ",".join(values),
            None,
            f"The number of values in the `{parameter}` query parameter "
            f"list [{len(values)}] is not between 1 and {MAX_IDS}",
        )
    for value in values:
        _matching(parameter, value, form)
    return list(dict.fromkeys(values))


def _matching(parameter: str, value: str, form: str) -> None:
    if not re.fullmatch(form, value):
        raise _invalid(parameter, value, f"does not match ^{form}$")


def _chosen(ask: Ask, parameter: str, known: list[str]) -> list[str]:
    chosen = words(ask.params.get(parameter, ""))
    for value in chosen:
        if value not in known:
            raise _invalid(parameter, value, f"is not one of [{','.join(known)}]")
    return chosen


def _page_size(ask: Ask, lowest: int = 5, highest: int = 100) -> int:
    return _number(ask, "max_results", "10", lowest, highest)


def _number(ask: Ask, parameter: str, default: str, lowest: int, highest: int) -> int:
    text = ask.params.get(parameter, default)
    if not re.fullmatch(r"\d{1,9}", text) or not lowest <= int(text) <= highest:
        raise _invalid(parameter, text, f"is not between {lowest} and {highest}")
    return int(text)


def _id(ask: Ask, parameter: str) -> int | None:
    text = ask.params.get(parameter)
    if text is not None:
        _matching(parameter, text, "[0-9]{1,19}")
    return None if text is None else int(text)


def _time(ask: Ask, parameter: str) -> datetime | None:
    text = ask.params.get(parameter)
    if text is None:
        return None
    if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", text):
        raise _invalid(parameter, text, "is not a valid RFC 3339 date-time, such as 2025-05-01T00:00:00Z")
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise _invalid(parameter, text, "is not a valid RFC 3339 date-time") from None
    if instant < EARLIEST:
        raise _invalid(parameter, text, "must be on or after 2010-11-06T00:00Z")
    return instant


def _not_found(resource: str, parameter: str, value: str) -> dict[str, Any]:
    return {
        "value": value,
        "detail": f"Could not find {resource} with {parameter}: [{value}].",
        "title": "Not Found Error",
        "resource_type": resource,
        "parameter": parameter,
        "resource_id": value,
        "type": f"{_PROBLEMS}/resource-not-found",
    }


def _is_of_a_user(ask: Ask) -> bool:
    """Whether a request is signed for a user by OAuth 1.0a, with the credential as key and token."""
    scheme, _, signed = ask.headers.get("authorization", "").partition(" ")
    told = dict(re.findall(r'(\w+)="([^"]*)"', signed)) if scheme == "OAuth" else {}
    return told.get("oauth_consumer_key") == told.get("oauth_token") == CREDENTIAL


def _problem(
    status: HTTPStatus, title: str, kind: str | None = None, headers: dict[str, str] | None = None
) -> RefusedError:
    body = {"title": title, "type": f"{_PROBLEMS}/{kind}" if kind else "about:blank", "status": int(status)}
    return RefusedError(Answer(body | {"detail": title}, status, headers or {}))


def _invalid(parameter: str, value: str, wrong: str | None, message: str | None = None) -> RefusedError:
    told = message or f"The `{parameter}` query parameter value [{value}] {wrong}"
    return RefusedError(
        Answer(
            {
                "errors": [{"parameters": {parameter: [value]}, "message": told}],
                "title": "Invalid Request",
                "detail": "One or more parameters to your request was invalid.",
                "type": f"{_PROBLEMS}/invalid-request",
            },
            HTTPStatus.BAD_REQUEST,
        )
    )
