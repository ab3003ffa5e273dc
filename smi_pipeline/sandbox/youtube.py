"""YouTube Data API v3: channels, the uploads playlist of a channel, videos by id, and the search for videos.

The uploads list is newest added first: a video that was scheduled stands where the data set says it was added.
`subscriberCount` is rounded down to three figures. Titles found by a search are HTML-escaped, those of lists not.
Durations are not in a data set: they are worked out from the id.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
from collections.abc import Callable, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Any

from smi_pipeline.sandbox import tokens
from smi_pipeline.sandbox.exchange import CREDENTIAL, Answer, Ask, RefusedError, iso, present, words
from smi_pipeline.sandbox.selection import Selection, SelectionError, parse, selected
from smi_pipeline.sandbox.world import Item, Owner, World

MAX_RESULTS = 50
DEFAULT_RESULTS = 5
LONGEST_TITLE = 100

_CHANNEL_PARTS = words(
    "auditDetails,brandingSettings,contentDetails,contentOwnerDetails,id,localizations,snippet,statistics,status,topicDetails"
)
_ITEM_PARTS = words("contentDetails,id,snippet,status")
_VIDEO_PARTS = words(
    "contentDetails,fileDetails,id,liveStreamingDetails,localizations,paidProductPlacementDetails,player,"
    "processingDetails,recordingDetails,snippet,statistics,status,suggestions,topicDetails"
)
_SEARCH_PARTS = words("id,snippet")
LONGEST_SEARCH = 500
# What a search is sorted by, the greatest number first; else the newest.
_ORDERS: dict[str, Callable[[Item, datetime], Any]] = {
    "date": lambda _item, _now: 0,
    "relevance": lambda _item, _now: 0,
    "title": lambda item, now: item.text(now),
    "viewCount": lambda item, now: -(item.counts(now).views or 0),
    "rating": lambda item, now: -(item.counts(now).likes or 0),
    "videoCount": lambda _item, _now: 0,
}
_FIGURES = 3


class YouTube:
    """Answers for channels and videos. Keeps nothing."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._routes: dict[str, Callable[[Ask], dict[str, Any]]] = {
            "/youtube/v3/channels": self._channels,
            "/youtube/v3/playlistItems": self._playlist_items,
            "/youtube/v3/videos": self._videos,
            "/youtube/v3/search": self._search,
        }

    def answer(self, ask: Ask) -> Answer:
        """Answer one request under /youtube/v3/.

        Raises:
            RefusedError: the platform's own error.
        """
        _authorised(ask)
        respond = self._routes.get(ask.path.rstrip("/"))
        if respond is None or ask.method != "GET":
            raise _error(HTTPStatus.NOT_FOUND, "notFound", "Not Found")
        wanted = _wanted(ask)
        return Answer(selected(respond(ask), wanted))

    def _channels(self, ask: Ask) -> dict[str, Any]:
        parts = _parts(ask, _CHANNEL_PARTS)
        size = _page_size(ask)
        name = _only_filter(ask, "id", "forHandle", "forUsername")
        asked = words(ask.params[name]) if name == "id" else [ask.params[name]]
        if len(asked) > MAX_RESULTS:
            raise _invalid_parameter(name, f"The request specifies more than {MAX_RESULTS} ids.")
        if name == "id":
            found = [self._world.by_id("youtube", channel, ask.now) for channel in dict.fromkeys(asked)]
        else:
            found = [self._world.by_handle("youtube", asked[0], ask.now)]
        owners = [owner for owner in found if owner is not None]
        first = _start(ask, f"youtube/channels/{','.join(asked)}")
        shown = owners[first : first + size]
        more = tokens.seal(f"youtube/channels/{','.join(asked)}", first + size) if first + size < len(owners) else None
        items = [_channel(owner, parts, ask) for owner in shown]
        page = {"totalResults": len(owners), "resultsPerPage": size if owners else 0}
        return _listing("channel", page, items or None, nextPageToken=more)

    def _playlist_items(self, ask: Ask) -> dict[str, Any]:
        parts = _parts(ask, _ITEM_PARTS)
        size = _page_size(ask)
        if _only_filter(ask, "playlistId", "id") == "id":
            return self._playlist_items_by_id(ask, parts)
        playlist = ask.params["playlistId"]
        owner = self._world.by_id("youtube", "UC" + playlist[2:], ask.now) if playlist.startswith("UU") else None
        items = owner.listed(ask.now) if owner else []
        if not items:
            message = "The playlist identified with the request's <code>playlistId</code> parameter cannot be found."
            raise _error(HTTPStatus.NOT_FOUND, "playlistNotFound", message, "youtube.playlistItem", "playlistId")
        places = [place for place, item in enumerate(items) if ask.params.get("videoId", item.id) == item.id]
        total = len(items) if "videoId" not in ask.params else len(places)
        scope = f"youtube/{playlist}/{ask.params.get('videoId', '')}"
        start = min(_start(ask, scope, total), total)
        stop = max(0, start - size)
        told = [
            _playlist_item(items[place], playlist, len(items) - 1 - place, parts, ask.now)
            for place in places[stop:start][::-1]
        ]
        return _listing(
            "playlistItem",
            {"totalResults": total, "resultsPerPage": size},
            told,
            nextPageToken=tokens.seal(scope, stop) if stop > 0 else None,
            prevPageToken=tokens.seal(scope, min(start + size, total)) if start < total else None,
        )

    def _playlist_items_by_id(self, ask: Ask, parts: Sequence[str]) -> dict[str, Any]:
        asked = _ids(ask)
        told = []
        for wire_id in asked:
            playlist, _, video = _from_wire(wire_id).partition(".")
            item = self._world.item("youtube", video, ask.now)
            if item is not None and playlist == "UU" + item.owner.id[2:]:
                items = item.owner.listed(ask.now)
                place = next(place for place, other in enumerate(items) if other.id == item.id)
                told.append(_playlist_item(item, playlist, len(items) - 1 - place, parts, ask.now))
        return _listing("playlistItem", {"totalResults": len(told), "resultsPerPage": len(told)}, told)

    def _videos(self, ask: Ask) -> dict[str, Any]:
        parts = _parts(ask, _VIDEO_PARTS)
        _only_filter(ask, "id")
        if "maxResults" in ask.params:
            raise _invalid_parameter("maxResults", "The maxResults parameter cannot be used together with id.")
        asked = _ids(ask)
        found = [self._world.item("youtube", video, ask.now) for video in asked]
        items = [_video(item, parts, ask) for item in found if item is not None]
        return _listing("video", {"totalResults": len(items), "resultsPerPage": len(items)}, items)

    def _search(self, ask: Ask) -> dict[str, Any]:
        parts = _parts(ask, _SEARCH_PARTS)
        size = _page_size(ask)
        kinds = words(ask.params.get("type", "video,channel,playlist"))
        order = ask.params.get("order", "relevance")
        if order not in _ORDERS:
            raise _invalid_parameter("order", f"Invalid value '{order}'. Allowed values: [{', '.join(_ORDERS)}]")
        after, before = (_time(ask, name) for name in ("publishedAfter", "publishedBefore"))
        channel, word = ask.params.get("channelId"), ask.params.get("q", "").casefold()
        found = [
            item
            for owner in self._world.owners("youtube", ask.now)
            if channel in (None, owner.id) and "video" in kinds
            for item in owner.items[: owner.posts_by(ask.now)]
            if (after is None or item.created_at >= after) and (before is None or item.created_at <= before)
            if word in item.text(ask.now).casefold()
        ]
        found.sort(key=lambda item: item.created_at, reverse=True)
        found.sort(key=lambda item: _ORDERS[order](item, ask.now))
        scope = f"youtube/search/{channel}/{word}/{order}/{after}/{before}"
        first, reached = _start(ask, scope), found[:LONGEST_SEARCH]
        more = tokens.seal(scope, first + size) if first + size < len(reached) else None
        items = [_found(item, parts, ask.now) for item in reached[first : first + size]]
        page = {"totalResults": len(found), "resultsPerPage": size}
        return _listing("search", page, items, nextPageToken=more)


def _channel(owner: Owner, parts: Sequence[str], ask: Ask) -> dict[str, Any]:
    followers = owner.followers(ask.now)
    since = owner.times[0] if owner.times else None
    values: dict[str, Any] = {
        "snippet": present(
            title=owner.name,
            description="",
            customUrl="@" + owner.handle.lower(),
            localized={"title": owner.name, "description": ""},
            publishedAt=iso(since.replace(month=1, day=1, hour=0, minute=0, second=0, microsecond=0))
            if since
            else None,
        ),
        "contentDetails": {"relatedPlaylists": {"likes": "", "uploads": "UU" + owner.id[2:]}},
        "statistics": present(
            viewCount=_text(owner.total("views", ask.now)),
            subscriberCount=_text(None if followers is None else _rounded_down(followers)),
            hiddenSubscriberCount=followers is None,
            videoCount=str(owner.posts_by(ask.now)),
        ),
        "status": {"privacyStatus": "public", "isLinked": True, "longUploadsStatus": "longUploadsUnspecified"},
    }
    return _resource("channel", owner.id, values, parts)


def _playlist_item(item: Item, playlist: str, position: int, parts: Sequence[str], now: datetime) -> dict[str, Any]:
    title, description = _title_and_description(item.text(now))
    values: dict[str, Any] = {
        "snippet": {
            "publishedAt": iso(item.added_at),
            "channelId": item.owner.id,
            "title": title,
            "description": description,
            "thumbnails": _thumbnails(item),
            "channelTitle": item.owner.name,
            "playlistId": playlist,
            "position": position,
            "resourceId": {"kind": "youtube#video", "videoId": item.id},
            "videoOwnerChannelTitle": item.owner.name,
            "videoOwnerChannelId": item.owner.id,
        },
        "contentDetails": {"videoId": item.id, "videoPublishedAt": iso(item.created_at)},
        "status": {"privacyStatus": "public"},
    }
    wire_id = base64.urlsafe_b64encode(f"{playlist}.{item.id}".encode()).decode().rstrip("=")
    return _resource("playlistItem", wire_id, values, parts)


def _video(item: Item, parts: Sequence[str], ask: Ask) -> dict[str, Any]:
    counts = item.counts(ask.now)
    title, description = _title_and_description(item.text(ask.now))
    values: dict[str, Any] = {
        "snippet": {
            "publishedAt": iso(item.created_at),
            "channelId": item.owner.id,
            "title": title,
            "description": description,
            "thumbnails": _thumbnails(item),
            "channelTitle": item.owner.name,
            "categoryId": "19",
            "liveBroadcastContent": "none",
            "localized": {"title": title, "description": description},
        },
        "contentDetails": {
            "duration": _duration(item),
            "dimension": "2d",
            "definition": "hd",
            "caption": "false",
            "licensedContent": False,
            "projection": "rectangular",
        },
        "statistics": present(
            viewCount=_text(counts.views),
            likeCount=_text(counts.likes),
            favoriteCount="0",
            commentCount=_text(counts.comments),
        ),
        "status": {"uploadStatus": "processed", "privacyStatus": "public", "license": "youtube", "embeddable": True},
    }
    return _resource("video", item.id, values, parts)


def _found(item: Item, parts: Sequence[str], now: datetime) -> dict[str, Any]:
    title, description = _title_and_description(item.text(now))
    snippet = {
        "publishedAt": iso(item.created_at),
        "channelId": item.owner.id,
        "title": _escaped(title),
        "description": description,
        "thumbnails": _thumbnails(item),
        "channelTitle": _escaped(item.owner.name),
        "liveBroadcastContent": "none",
        "publishTime": iso(item.created_at),
    }
    told = {"snippet": snippet} if "snippet" in parts else {}
    wire_id = {"kind": "youtube#video", "videoId": item.id}
    return {"kind": "youtube#searchResult", "etag": _etag(f"search {item.id}{told}"), "id": wire_id, **told}


def _escaped(text: str) -> str:
    """A title as searches alone send it: what HTML reads as markup as entities."""
    return html.escape(text).replace("&#x27;", "&#39;")


def _thumbnails(item: Item) -> dict[str, Any]:
    """The smallest of a video's pictures, which every video has."""
    return {"default": {"url": f"https://i.ytimg.com/vi/{item.id}/default.jpg", "width": 120, "height": 90}}


def _resource(kind: str, wire_id: str, values: dict[str, Any], parts: Sequence[str]) -> dict[str, Any]:
    told = {part: values[part] for part in values if part in parts}
    return {"kind": f"youtube#{kind}", "etag": _etag(f"{wire_id}{told}"), "id": wire_id, **told}


def _listing(
    kind: str, page: dict[str, int], items: list[dict[str, Any]] | None, **page_tokens: str | None
) -> dict[str, Any]:
    return {
        "kind": f"youtube#{kind}ListResponse",
        "etag": _etag(f"{kind}{page}{[item['etag'] for item in items or []]}"),
        **present(**page_tokens),
        "pageInfo": page,
        **present(items=items),
    }


def _authorised(ask: Ask) -> None:
    key = ask.params.get("key") or ask.headers.get("x-goog-api-key")
    token = ask.bearer or ask.params.get("access_token")
    if key is None and token is None:
        message = (
            "Method doesn't allow unregistered callers (callers without established identity). "
            "Please use API Key or other form of API consumer identity to call this API."
        )
        raise _error(HTTPStatus.FORBIDDEN, "forbidden", message, status="PERMISSION_DENIED")
    if key is None and token != CREDENTIAL:
        raise RefusedError(
            Answer(
                {
                    "error": {
                        "errors": [
                            {
                                "domain": "global",
                                "reason": "authError",
                                "message": "Invalid Credentials",
                                "locationType": "header",
                                "location": "Authorization",
                            }
                        ],
                        "code": 401,
                        "message": "Invalid Credentials",
                    }
                },
                HTTPStatus.UNAUTHORIZED,
            )
        )
    if key is not None and key != CREDENTIAL:
        details = [
            {
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": "API_KEY_INVALID",
                "domain": "googleapis.com",
                "metadata": {"service": "youtube.googleapis.com"},
            }
        ]
        message = "API key not valid. Please pass a valid API key."
        raise _error(HTTPStatus.BAD_REQUEST, "badRequest", message, status="INVALID_ARGUMENT", details=details)


def _parts(ask: Ask, known: Sequence[str]) -> list[str]:
    parts = words(ask.params.get("part", ""))
    if not parts:
        message = "No part parameter was given: required parameter: part"
        raise _error(HTTPStatus.BAD_REQUEST, "missingRequiredParameter", message, "youtube.parameter", "part")
    for part in parts:
        if part not in known:
            raise _error(HTTPStatus.BAD_REQUEST, "unknownPart", f"'{part}'", "youtube.part", "part")
    return parts


def _only_filter(ask: Ask, *filters: str) -> str:
    """The one filter a request has.

    Raises:
        RefusedError: it has none, or several.
    """
    given = [name for name in filters if ask.params.get(name)]
    if not given:
        message = f"No filter selected. Expected one of: {', '.join(filters)}"
        raise _error(HTTPStatus.BAD_REQUEST, "missingRequiredParameter", message, "youtube.parameter")
    if len(given) > 1:
        message = f"Incompatible parameters specified in the request: {', '.join(given)}"
        raise _error(HTTPStatus.BAD_REQUEST, "incompatibleParameters", message, "youtube.parameter")
    return given[0]


def _ids(ask: Ask) -> list[str]:
    """The values of the filter `id`, each once, fifty at most."""
    asked = list(dict.fromkeys(words(ask.params["id"])))
    if len(asked) > MAX_RESULTS:
        raise _invalid_parameter("id", f"The request specifies more than {MAX_RESULTS} ids.")
    return asked


def _wanted(ask: Ask) -> Selection:
    text = ask.params.get("fields", "")
    try:
        return parse("".join(text.split())) if text else {}
    except SelectionError:
        raise _invalid_parameter("fields", f"Invalid field selection {text}") from None


def _time(ask: Ask, name: str) -> datetime | None:
    text = ask.params.get(name)
    try:
        instant = datetime.fromisoformat(text) if text else None
    except ValueError:
        instant = None
    if text and (instant is None or instant.tzinfo is None):
        raise _invalid_parameter(name, f"Invalid value '{text}'. Values must be RFC 3339 date-times.")
    return instant


def _from_wire(wire_id: str) -> str:
    """The playlist and the video behind the id of an item; nothing where it is none."""
    try:
        return base64.urlsafe_b64decode(wire_id + "=" * (-len(wire_id) % 4)).decode()
    except ValueError:
        return ""


def _page_size(ask: Ask) -> int:
    text = ask.params.get("maxResults", str(DEFAULT_RESULTS))
    if not re.fullmatch(r"[0-9]{1,9}", text) or int(text) > MAX_RESULTS:
        message = f"Invalid value '{text}'. Values must be within the range: [0, {MAX_RESULTS}]"
        raise _invalid_parameter("maxResults", message)
    return int(text)


def _start(ask: Ask, scope: str, default: int = 0) -> int:
    token = ask.params.get("pageToken")
    if not token:
        return default
    place = tokens.unseal(scope, token)
    if place is None:
        message = "The request specifies an invalid page token."
        raise _error(HTTPStatus.BAD_REQUEST, "invalidPageToken", message, "youtube.parameter", "pageToken")
    return place


def _invalid_parameter(name: str, message: str) -> RefusedError:
    return _error(HTTPStatus.BAD_REQUEST, "invalidParameter", message, "global", name)


def _error(
    code: int, reason: str, message: str, domain: str = "global", parameter: str | None = None, **more: Any
) -> RefusedError:
    where = {"location": parameter, "locationType": "parameter"} if parameter else {}
    error = {"message": message, "domain": domain, "reason": reason, **where}
    return RefusedError(Answer({"error": {"code": int(code), "message": message, "errors": [error], **more}}, code))


def _title_and_description(text: str) -> tuple[str, str]:
    """The first line (cut between words at 100 characters, as a title is at most that long), and the rest."""
    line, _, rest = text.partition("\n")
    if len(line) <= LONGEST_TITLE:
        return line, rest
    cut = line.rfind(" ", 0, LONGEST_TITLE + 1)
    cut = cut if cut > 0 else LONGEST_TITLE
    return line[:cut], line[cut:].lstrip() + ("\n" + rest if rest else "")


def _rounded_down(count: int) -> int:
    """The first three figures and zeros, as YouTube tells subscribers."""
    unit = int(10 ** max(len(str(abs(count))) - _FIGURES, 0))
    return count // unit * unit


def _duration(item: Item) -> str:
    number = int.from_bytes(hashlib.blake2b(item.id.encode(), digest_size=4).digest())
    return f"PT{15 + number % 45}S" if item.kind == "short" else f"PT{1 + number % 19}M{number % 60}S"


def _text(count: int | None) -> str | None:
    return None if count is None else str(count)


def _etag(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.blake2b(text.encode(), digest_size=20).digest()).decode().rstrip("=")
