"""X API v2: users, timelines, posts, searches, counts and usage for an app-only bearer token."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

from smi_pipeline.sandbox import tokens
from smi_pipeline.sandbox.exchange import CREDENTIAL, Answer, Ask, RefusedError, iso, present, words
from smi_pipeline.sandbox.limits import Allowances
from smi_pipeline.sandbox.world import Item, Owner, World
from smi_pipeline.sandbox.x_objects import NEWER, OLDER, View, included_of_users, user_object
from smi_pipeline.sandbox.x_parameters import (
    EARLIEST,
    chosen,
    invalid,
    is_of_a_user,
    known_parameters,
    listed,
    matching,
    not_found,
    number,
    page_size,
    post_id,
    problem,
    time,
)
from smi_pipeline.sandbox.x_query import QueryError, Test, parse

HISTORY = 3_200
HISTORY_WITHOUT_REPLIES = 800
WINDOW_SECONDS = 900
SEARCH_DAYS = 30  # how far a search looks back that names no start
COUNT_DAYS = 31  # how much one answer of counts covers
GRANULARITIES = {"minute": timedelta(minutes=1), "hour": timedelta(hours=1), "day": timedelta(days=1)}


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
        of_a_user = is_of_a_user(ask)
        if ask.bearer != CREDENTIAL and not of_a_user:
            raise problem(HTTPStatus.UNAUTHORIZED, "Unauthorized")
        path = ask.path.rstrip("/")
        for pattern, limit, respond in self._routes:
            match = pattern.fullmatch(path)
            if match is not None and ask.method == "GET":
                headers = self._counted(limit, ask)
                try:
                    if of_a_user and limit in ("search", "counts", "usage"):
                        raise problem(HTTPStatus.FORBIDDEN, "Unsupported Authentication", "unsupported-authentication")
                    if limit != "usage":
                        self._allowances.left_of_x(ask)
                    return Answer(respond(ask, "".join(match.groups())), headers=headers)
                except RefusedError as refused:
                    answer = refused.answer
                    raise RefusedError(Answer(answer.body, answer.status, headers)) from None
        raise problem(HTTPStatus.NOT_FOUND, "Not Found")

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
            raise problem(HTTPStatus.TOO_MANY_REQUESTS, "Too Many Requests", headers=headers)
        return headers

    def _is_too_soon(self, now: datetime) -> bool:
        """Whether a search comes within a second of the one before it that was let in."""
        if self._searched is not None and timedelta(0) <= now - self._searched < timedelta(seconds=1):
            return True
        self._searched = now
        return False

    def _users_by_names(self, ask: Ask, _: str) -> dict[str, Any]:
        known_parameters(ask, "usernames", "user.fields", "expansions", "tweet.fields", "post.fields")
        names = listed(ask, "usernames", "[A-Za-z0-9_]{1,15}")
        return self._users(ask, "usernames", names, lambda name: self._world.by_handle("x", name, ask.now))

    def _users_by_ids(self, ask: Ask, _: str) -> dict[str, Any]:
        known_parameters(ask, "ids", "user.fields", "expansions", "tweet.fields", "post.fields")
        return self._users(
            ask, "ids", listed(ask, "ids", "[0-9]{1,19}"), lambda user: self._world.by_id("x", user, ask.now)
        )

    def _users(self, ask: Ask, parameter: str, asked: list[str], find: Callable[[str], Owner | None]) -> dict[str, Any]:
        found = {value: find(value) for value in asked}
        errors = [self._no_user(ask, parameter, value) for value, owner in found.items() if owner is None]
        owners = list(dict.fromkeys(owner for owner in found.values() if owner is not None))
        data = [user_object(owner, ask) for owner in owners]
        return present(data=data or None, includes=included_of_users(owners, ask), errors=errors or None)

    def _user_by_name(self, ask: Ask, name: str) -> dict[str, Any]:
        known_parameters(ask, "user.fields", "expansions", "tweet.fields", "post.fields")
        matching("username", name, "[A-Za-z0-9_]{1,15}")
        return self._one_user(ask, "username", name, self._world.by_handle("x", name, ask.now))

    def _user_by_id(self, ask: Ask, user: str) -> dict[str, Any]:
        known_parameters(ask, "user.fields", "expansions", "tweet.fields", "post.fields")
        matching("id", user, "[0-9]{1,19}")
        return self._one_user(ask, "id", user, self._world.by_id("x", user, ask.now))

    def _one_user(self, ask: Ask, parameter: str, value: str, owner: Owner | None) -> dict[str, Any]:
        if owner is None:
            return {"errors": [self._no_user(ask, parameter, value)]}
        return present(data=user_object(owner, ask), includes=included_of_users([owner], ask))

    def _no_user(self, ask: Ask, parameter: str, value: str) -> dict[str, Any]:
        """Why there is no such user to show: suspended, or nobody."""
        problem = not_found("user", parameter, value)
        if self._world.is_suspended("x", value, ask.now):
            problem |= {"title": "Forbidden", "detail": f"User has been suspended: [{value}]."}
        return problem

    def _timeline(self, ask: Ask, user: str) -> dict[str, Any]:
        known_parameters(
            ask,
            *words("max_results,pagination_token,start_time,end_time,since_id,until_id,exclude,expansions"),
            *words("tweet.fields,post.fields,media.fields,user.fields,poll.fields,place.fields"),
        )
        matching("id", user, "[0-9]{1,19}")
        size = page_size(ask)
        view = View(ask)
        owner = self._world.by_id("x", user, ask.now)
        if owner is None:
            return {"errors": [self._no_user(ask, "id", user)]}
        return _page(owner, _reachable(owner, ask), min(size, ask.behaviours.x.short_pages or size), view)

    def _posts_by_ids(self, ask: Ask, _: str) -> dict[str, Any]:
        known_parameters(
            ask, *words("ids,expansions,tweet.fields,post.fields,media.fields,user.fields,poll.fields,place.fields")
        )
        view = View(ask)
        found = {post: self._world.item("x", post, ask.now) for post in listed(ask, "ids", "[0-9]{1,19}")}
        items = [item for item in found.values() if item is not None]
        missing = [not_found("tweet", "ids", post) for post, item in found.items() if item is None]
        return present(
            data=[view.post(item) for item in items] or None,
            includes=view.includes(items),
            errors=[*missing, *view.lost(items)] or None,
        )

    def _post_by_id(self, ask: Ask, post: str) -> dict[str, Any]:
        known_parameters(
            ask, *words("expansions,tweet.fields,post.fields,media.fields,user.fields,poll.fields,place.fields")
        )
        matching("id", post, "[0-9]{1,19}")
        view = View(ask)
        item = self._world.item("x", post, ask.now)
        if item is None:
            return {"errors": [not_found("tweet", "id", post)]}
        return present(data=view.post(item), includes=view.includes([item]), errors=view.lost([item]) or None)

    def _search(self, ask: Ask, _: str) -> dict[str, Any]:
        known_parameters(
            ask,
            *words("query,start_time,end_time,since_id,until_id,max_results,next_token,pagination_token,sort_order"),
            *words("expansions,tweet.fields,post.fields,media.fields,user.fields,poll.fields,place.fields"),
        )
        size, view = page_size(ask, 10, 500), View(ask)
        if "sort_order" in ask.params:
            chosen(ask, "sort_order", ["recency", "relevancy"])
        found = self._found(ask, *_span(ask))
        scope = f"x search {ask.params['query']}"
        token = ask.params.get("next_token") or ask.params.get("pagination_token")
        stop = len(found)
        if token is not None:
            place = tokens.unseal_plain(scope, token)
            if place is None:
                raise invalid("next_token", token, "is not valid")
            stop = min(place, stop)
        start = max(stop - size, 0)
        return _listed_posts(found[start:stop][::-1], view, tokens.seal_plain(scope, start) if start > 0 else None)

    def _counts(self, ask: Ask, _: str) -> dict[str, Any]:
        known_parameters(
            ask,
            *words("query,start_time,end_time,since_id,until_id,granularity,next_token,pagination_token"),
            *words("search_count.fields,post.fields"),
        )
        newer = "post_count" in chosen(ask, "search_count.fields", words("end,start,tweet_count,post_count"))
        word = (NEWER if newer or "post.fields" in ask.params else OLDER).word
        [unit] = chosen(ask, "granularity", list(GRANULARITIES)) or ["hour"]
        step = GRANULARITIES[unit]
        start, end = _span(ask)
        scope = f"x counts {ask.params.get('query')} {unit}"
        token = ask.params.get("next_token") or ask.params.get("pagination_token")
        page = 0 if token is None else tokens.unseal_plain(scope, token)
        if page is None:
            raise invalid("next_token", str(token), "is not valid")
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
        known_parameters(ask, "days", "usage.fields")
        days = number(ask, "days", "7", 1, 90)
        known = words("cap_reset_day,daily_client_app_usage,daily_project_usage,project_cap,project_id,project_usage")
        wanted = chosen(ask, "usage.fields", known) or known
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
            raise invalid("query", query, None, f"There were errors processing your request: {error}") from None
        since, until = (post_id(ask, name) for name in ("since_id", "until_id"))
        found = [
            item
            for owner in self._world.owners("x", ask.now)
            for item in owner.items[owner.posts_before(start) : min(owner.posts_before(end), owner.posts_by(ask.now))]
            if (since is None or int(item.id) > since) and (until is None or int(item.id) < until)
            if test(item, item.text(ask.now))
        ]
        return sorted(found, key=lambda item: (item.created_at, int(item.id)))


def _page(owner: Owner, places: list[int], size: int, view: View) -> dict[str, Any]:
    """The next `size` of the reachable places, newest first."""
    token = view.ask.params.get("pagination_token") or view.ask.params.get("next_token")
    scope = f"x/{owner.id}"
    if token is not None:
        last = tokens.unseal_plain(scope, token)
        if last is None:
            raise invalid("pagination_token", token, "is not valid")
        places = [place for place in places if place < last]
    items = [owner.items[place] for place in places[:size]]
    return _listed_posts(items, view, tokens.seal_plain(scope, items[-1].place) if len(places) > size else None)


def _listed_posts(items: list[Item], view: View, next_token: str | None) -> dict[str, Any]:
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
    end = time(ask, "end_time") or ask.now
    start = time(ask, "start_time") or max(end - timedelta(days=SEARCH_DAYS), EARLIEST)
    if end <= start:
        raise invalid("end_time", ask.params.get("end_time", ""), "must be after the start_time")
    return start, end


def _reachable(owner: Owner, ask: Ask) -> list[int]:
    """The places of a timeline that a request may see, newest first: at most the newest 3,200 of all."""
    excluded = chosen(ask, "exclude", ["replies", "retweets"])
    newest = owner.posts_by(ask.now)
    low = max(newest - (HISTORY_WITHOUT_REPLIES if "replies" in excluded else HISTORY), 0)
    start, end = time(ask, "start_time"), time(ask, "end_time")
    if start is not None and end is not None and end <= start:
        raise invalid("end_time", ask.params["end_time"], "must be after the start_time")
    high = newest
    since, until = (post_id(ask, name) for name in ("since_id", "until_id"))
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
