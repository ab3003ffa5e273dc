"""TikTok Research API: the client token, an account's figures, and the videos of many accounts in one query.

Ids are JSON integers beyond 2**53. Days are of UTC and both ends of a window count. A search id keeps the instant of
its first page, so that videos posted meanwhile do not shift the pages after it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs

from smi_pipeline.sandbox import identity
from smi_pipeline.sandbox.exchange import CREDENTIAL, Answer, Ask, RefusedError, present, words
from smi_pipeline.sandbox.world import Item, Owner, World

MAX_COUNT = 100
DEFAULT_COUNT = 20
MAX_DAYS = 30

_USER_FIELDS = words(
    "display_name,bio_description,avatar_url,is_verified,follower_count,following_count,likes_count,video_count,bio_url"
)
_VIDEO_FIELDS = words(
    "id,create_time,username,region_code,video_description,music_id,like_count,comment_count,share_count,view_count,"
    "favorites_count,favourites_count,effect_ids,hashtag_names,hashtag_info_list,playlist_id,voice_to_text,is_stem_verified,"
    "sticker_info_list,effect_info_list,video_duration,video_mention_list,video_label,video_tag"
)
_OPERATIONS = ("EQ", "IN", "GT", "GTE", "LT", "LTE")
_HASHTAG = re.compile(r"#(\w+)")

_Test = Callable[[Item], bool]


class TikTok:
    """Answers for accounts and their videos. Tokens and search ids prove themselves; refused stale ids are counted."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._stale: dict[tuple[str, int], int] = {}

    def answer(self, ask: Ask) -> Answer:
        """Answer one request under /v2/.

        Raises:
            RefusedError: the platform's own error.
        """
        path = ask.path.rstrip("/")
        if path == "/v2/oauth/token" and ask.method == "POST":
            return _token(ask)
        if path not in {"/v2/research/user/info", "/v2/research/video/query"} or ask.method != "POST":
            raise _error(ask, HTTPStatus.NOT_FOUND, "unsupported_path", "Unsupported path(Janus).")
        _authorised(ask)
        body = _body(ask)
        data = self._user(ask, body) if path.endswith("info") else self._videos(ask, body)
        return Answer({"data": data, "error": {"code": "ok", "message": "", "log_id": _log_id(ask)}})

    def _user(self, ask: Ask, body: dict[str, Any]) -> dict[str, Any]:
        fields = _fields(ask, _USER_FIELDS)
        username = body.get("username")
        if not isinstance(username, str) or not username:
            raise _invalid(ask, "Invalid username")
        owner = self._world.by_handle("tiktok", username, ask.now)
        if owner is None:
            raise _invalid(ask, f"{username} is invalid: cannot find the user")
        values = {
            "display_name": owner.name,
            "bio_description": "",
            "is_verified": False,
            "follower_count": owner.followers(ask.now),
            "following_count": 0,  # TikTok always tells it; a data set has nothing of it
            "likes_count": owner.total("likes", ask.now),
            "video_count": owner.posts_by(ask.now),
        }
        return {name: values[name] for name in fields if values.get(name) is not None}

    def _videos(self, ask: Ask, body: dict[str, Any]) -> dict[str, Any]:
        fields = _fields(ask, _VIDEO_FIELDS)
        start, end = _window(ask, body)
        count, cursor = body.get("max_count", DEFAULT_COUNT), body.get("cursor", 0)
        if not (_whole(count) and 1 <= count <= MAX_COUNT and _whole(cursor) and cursor >= 0):
            raise _invalid(ask, "Invalid count or cursor")
        query = body.get("query")
        if not isinstance(query, dict) or not any(query.get(part) for part in ("and", "or", "not")):
            raise _invalid(ask, "Invalid query")
        is_random = body.get("is_random") or False
        if not isinstance(is_random, bool):
            raise _invalid(ask, "Invalid is_random")
        asked = json.dumps([query, body["start_date"], body["end_date"], fields, is_random], sort_keys=True)
        search_id = body.get("search_id") or None
        if search_id is None and cursor > 0:
            raise _invalid(ask, "Invalid count or cursor")
        until = ask.now.replace(microsecond=0) if search_id is None else _search_began(ask, str(search_id), asked)
        if search_id is not None:
            self._not_yet(ask, str(search_id), cursor)
        found = self._found(ask, query, start, min(end, until))
        if is_random:  # one order for all pages of a search
            found.sort(key=lambda item: _seal(asked, item.id))
        # Hidden and deleted videos leave their places empty: fewer rows come than the cursor moves by.
        rows = min(count, ask.behaviours.tiktok.short_pages or count)
        first = cursor // count * rows if rows < count else cursor
        shown = found[first : first + rows]
        more = first + rows < len(found)
        return {
            "videos": [_video(item, fields, ask.now) for item in shown],
            "cursor": cursor + (count if more else len(shown)),
            "has_more": more,
            "search_id": _search_id(until, asked),
        }

    def _not_yet(self, ask: Ask, search_id: str, cursor: int) -> None:
        """Right after its first page a search id may not be known everywhere.

        Raises:
            RefusedError: this time it is not.
        """
        times = self._stale.get((search_id, cursor), 0)
        if times < ask.behaviours.tiktok.stale_search:
            self._stale[search_id, cursor] = times + 1
            raise _invalid(ask, f"Search Id {search_id} is invalid or expired")

    def _found(self, ask: Ask, query: dict[str, Any], start: datetime, last: datetime) -> list[Item]:
        """Videos created in [start, last] that the query means, by falling id."""
        every = [_condition(ask, one) for one in _conditions(ask, query, "and")]
        some = [_condition(ask, one) for one in _conditions(ask, query, "or")]
        none = [_condition(ask, one) for one in _conditions(ask, query, "not")]
        items = [
            item
            for owner in self._named(query, ask.now)
            for item in owner.items[owner.posts_before(start) : owner.posts_by(last)]
        ]
        for test in every:
            items = list(filter(test, items))
        if some:
            items = [item for item in items if any(test(item) for test in some)]
        if none:
            items = [item for item in items if not any(test(item) for test in none)]
        return sorted(items, key=lambda item: int(item.id), reverse=True)

    def _named(self, query: dict[str, Any], now: datetime) -> list[Owner]:
        """The accounts a query can be about: those its `and` names, else all."""
        for one in query.get("and") or []:
            if one.get("field_name") == "username" and one.get("operation") in {"EQ", "IN"}:
                found = (self._world.by_handle("tiktok", str(name), now) for name in one.get("field_values") or [])
                return list({owner.id: owner for owner in found if owner is not None}.values())
        return self._world.owners("tiktok", now)


def _token(ask: Ask) -> Answer:
    form = {name: values[-1] for name, values in parse_qs(ask.body.decode(errors="replace")).items()}
    if form.get("grant_type") != "client_credentials":
        return _token_refused(ask, "unsupported_grant_type", "Grant type is not supported.")
    if form.get("client_key") != CREDENTIAL or form.get("client_secret") != CREDENTIAL:
        return _token_refused(ask, "invalid_client", "Client key or secret is incorrect.")
    issued = int(ask.now.timestamp())
    token = f"clt.{issued:x}.{_seal('token', str(issued))}"
    return Answer({"access_token": token, "expires_in": ask.behaviours.tiktok.token_seconds, "token_type": "Bearer"})


def _token_refused(ask: Ask, error: str, description: str) -> Answer:
    body = {"error": error, "error_description": description, "log_id": _log_id(ask)}
    return Answer(body, ask.behaviours.tiktok.token_status)


def _authorised(ask: Ask) -> None:
    bearer = ask.bearer or ""
    if bearer == CREDENTIAL:
        return
    match = re.fullmatch(r"clt\.([0-9a-f]{1,16})\.([0-9a-f]+)", bearer)
    issued = int(match[1], 16) if match else 0
    if (
        match is None
        or match[2] != _seal("token", str(issued))
        or ask.now.timestamp() >= issued + ask.behaviours.tiktok.token_seconds
    ):
        message = "The access token is invalid or not found in the request."
        raise _error(ask, HTTPStatus.UNAUTHORIZED, "access_token_invalid", message)


def _body(ask: Ask) -> dict[str, Any]:
    try:
        body = json.loads(ask.body)
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise _invalid(ask, "Invalid JSON body")
    return body


def _fields(ask: Ask, known: list[str]) -> list[str]:
    fields = words(ask.params.get("fields", ""))
    unknown = [name for name in fields if name not in known]
    if unknown or not fields:
        raise _invalid(ask, f"Invalid fields: {','.join(unknown) or 'fields is required'}")
    return fields


def _window(ask: Ask, body: dict[str, Any]) -> tuple[datetime, datetime]:
    """The first and the last instant of the days asked for."""
    start, end = (_day(ask, body.get(name)) for name in ("start_date", "end_date"))
    if start is None or end is None or end < start:
        raise _invalid(ask, "Invalid start_date or end_date: expected YYYYMMDD, the end not before the start")
    if end - start > timedelta(days=MAX_DAYS):
        raise _invalid(ask, f"The end_date must be no more than {MAX_DAYS} days after the start_date")
    return datetime.combine(start, time.min, UTC), datetime.combine(end, time.max, UTC)


def _day(ask: Ask, text: object) -> date | None:
    if not isinstance(text, str) or not re.fullmatch(r"[0-9]{8}", text):
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise _invalid(ask, f"Invalid date: {text}") from None


def _conditions(ask: Ask, query: dict[str, Any], part: str) -> list[dict[str, Any]]:
    conditions = query.get(part) or []
    if not isinstance(conditions, list) or not all(isinstance(one, dict) for one in conditions):
        raise _invalid(ask, f"Invalid query: {part} must be a list of conditions")
    return conditions


def _condition(ask: Ask, one: dict[str, Any]) -> _Test:
    """A condition as a test of one video."""
    operation, name, values = one.get("operation"), one.get("field_name"), one.get("field_values")
    if operation not in _OPERATIONS:
        raise _invalid(ask, f"Invalid operation: {operation}")
    if not isinstance(values, list) or not values:
        raise _invalid(ask, f"Invalid field_values of {name}")
    texts = [str(value) for value in values]
    match name:
        case "username" if operation in {"EQ", "IN"}:
            named = {identity.handle("tiktok", text).casefold() for text in texts}
            return lambda item: item.owner.handle.casefold() in named
        case "create_date":
            return _compared(ask, operation, texts, lambda item: item.created_at.strftime("%Y%m%d"))
        case "video_id" if operation in {"EQ", "IN"}:
            return lambda item: item.id in texts
        case "hashtag_name" if operation in {"EQ", "IN"}:
            tags = {text.casefold() for text in texts}
            return lambda item: any(tag.casefold() in tags for tag in _HASHTAG.findall(item.text(ask.now)))
        case "keyword" if operation in {"EQ", "IN"}:
            return lambda item: any(text.casefold() in item.text(ask.now).casefold() for text in texts)
        case "region_code" | "music_id" | "effect_id" | "video_length":
            return lambda _: False  # not in a data set: no video is known to fit
        case _:
            raise _invalid(ask, f"Invalid field_name or operation: {name} {operation}")


def _compared(ask: Ask, operation: str, texts: list[str], value: Callable[[Item], str]) -> _Test:
    if not all(re.fullmatch(r"[0-9]{8}", text) for text in texts):
        raise _invalid(ask, "Invalid create_date: expected YYYYMMDD")
    tests: dict[str, _Test] = {
        "EQ": lambda item: value(item) in texts,
        "IN": lambda item: value(item) in texts,
        "GT": lambda item: value(item) > texts[0],
        "GTE": lambda item: value(item) >= texts[0],
        "LT": lambda item: value(item) < texts[0],
        "LTE": lambda item: value(item) <= texts[0],
    }
    return tests[operation]


def _video(item: Item, fields: list[str], now: datetime) -> dict[str, Any]:
    counts, text = item.counts(now), item.text(now)
    values = present(
        id=int(item.id),
        create_time=int(item.created_at.timestamp()),
        username=item.owner.handle,
        video_description=text,
        like_count=counts.likes,
        comment_count=counts.comments,
        share_count=counts.shares,
        view_count=counts.views,
        hashtag_names=list(dict.fromkeys(_HASHTAG.findall(text))) or None,
    )
    return {name: values[name] for name in fields if name in values}


def _search_id(began: datetime, asked: str) -> str:
    """When a search began and a seal over what it asks, in one number."""
    return str((int(began.timestamp()) << 32) | int(_seal("search", asked)[:8], 16))


def _search_began(ask: Ask, search_id: str, asked: str) -> datetime:
    if re.fullmatch(r"[0-9]{1,19}", search_id):
        began = datetime.fromtimestamp(int(search_id) >> 32, UTC)
        if search_id == _search_id(began, asked) and began <= ask.now:
            return began
    raise _invalid(ask, f"Search Id {search_id} is invalid or expired")


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _seal(*parts: str) -> str:
    return hashlib.blake2b("\x1f".join(parts).encode(), key=b"sandbox", digest_size=20).hexdigest()


def _log_id(ask: Ask) -> str:
    return ask.now.strftime("%Y%m%d%H%M%S") + _seal(ask.path, ask.now.isoformat())[:20].upper()


def _invalid(ask: Ask, message: str) -> RefusedError:
    return _error(ask, HTTPStatus.BAD_REQUEST, "invalid_params", message)


def _error(ask: Ask, status: int, code: str, message: str) -> RefusedError:
    body = {"data": {}, "error": {"code": code, "message": message, "log_id": _log_id(ask)}}
    return RefusedError(Answer(body, status))
