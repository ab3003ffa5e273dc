"""Instagram professional accounts through business_discovery, the only door for a third party.

One request asks for one account, by its current name, through the asking account's own id. Pages of media have cursors
alone and no address of the next page. `since` and `until` on the nested media are read over: nothing documents them for
other people's accounts, so a client must cut by `timestamp`.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from smi_pipeline.sandbox import graph, tokens
from smi_pipeline.sandbox.exchange import CREDENTIAL, Answer, Ask, words
from smi_pipeline.sandbox.facebook import missing_object
from smi_pipeline.sandbox.graph import Field, graph_error
from smi_pipeline.sandbox.kinds import WORDS
from smi_pipeline.sandbox.world import Item, Owner, World

MAX_LIMIT = 100
ASKING_ACCOUNT = "17841400000000001"

_ACCOUNT_FIELDS = frozenset(
    words(
        "id,username,name,biography,website,followers_count,follows_count,media_count,profile_picture_url,ig_id,media"
    )
)
_MEDIA_FIELDS = frozenset(
    words(
        "id,caption,timestamp,media_type,media_product_type,like_count,comments_count,view_count,permalink,media_url,"
        "thumbnail_url,username,owner,children,comments,shortcode"
    )
)


def is_asked_for(ask: Ask) -> bool:
    """Whether a Graph request is Instagram's: it asks for business_discovery, or about the asking account itself."""
    return "business_discovery" in ask.params.get("fields", "") or graph.steps(ask.path)[1] == [ASKING_ACCOUNT]


class Instagram:
    """Answers for other people's professional accounts. Keeps nothing but the number of calls in the current hour."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._hour: tuple[datetime, int] = (datetime.min.replace(tzinfo=UTC), 0)

    def answer(self, ask: Ask) -> Answer:
        """Answer one request under /v<version>/{asking account}.

        Raises:
            RefusedError: the platform's own error.
        """
        graph.authorised(ask)
        node = "/".join(graph.steps(ask.path)[1])
        if graph.method_of(ask) != "GET" or not (node == CREDENTIAL or re.fullmatch(r"[0-9]{5,20}", node)):
            raise missing_object(node)
        usage = self._usage(ask)
        told: dict[str, Any] = {}
        for asked in graph.parse_fields(ask.params.get("fields", "id")):
            if asked.name == "business_discovery":
                told[asked.alias] = self._discover(asked, ask)
            elif asked.name == "username":
                told[asked.alias] = CREDENTIAL
            elif asked.name not in _ACCOUNT_FIELDS:
                graph.check_fields([asked], _ACCOUNT_FIELDS, "ShadowIGUser")
        told["id"] = ASKING_ACCOUNT if node == CREDENTIAL else node
        return Answer(told, headers={"X-App-Usage": usage})

    def _discover(self, asked: Field, ask: Ask) -> dict[str, Any]:
        now = ask.now
        username = asked.modifiers.get("username", "").strip()
        if not username:
            raise graph_error(100, "(#100) The parameter username is required")
        owner = self._world.by_handle("instagram", username, now)
        if owner is None:
            raise graph_error(
                110,
                "Invalid user id",
                error_subcode=2207013,
                is_transient=False,
                error_user_title="Cannot find User",
                error_user_msg=f"The user with username: {username} cannot be found.",
            )
        fields = asked.fields or ()
        graph.check_fields(fields, _ACCOUNT_FIELDS, "ShadowIGUser")
        told: dict[str, Any] = {}
        for part in fields:
            value = _media_page(owner, part, ask) if part.name == "media" else _account_value(owner, part.name, now)
            if value is not None:
                told[part.alias] = value
        return told | {"id": owner.id}

    def _usage(self, ask: Ask) -> str:
        now, allowed = ask.now, ask.limits.instagram.calls_an_hour
        hour = now.replace(minute=0, second=0, microsecond=0)
        calls = self._hour[1] + 1 if self._hour[0] == hour else 1
        self._hour = hour, calls
        graph.used_up(calls, allowed)
        return graph.usage_header(calls, allowed)


def _account_value(owner: Owner, name: str, now: datetime) -> str | int | None:
    match name:
        case "username":
            return owner.handle
        case "name":
            return owner.name
        case "followers_count":
            return owner.followers(now)
        case "media_count":
            return owner.posts_by(now)
        case _:
            return None


def _media_page(owner: Owner, asked: Field, ask: Ask) -> dict[str, Any] | None:
    """One page of media, newest first: the first lacks `before`, the last lacks `after`; `None` = no media at all.

    Pinned media stand before all others, and not again where their time would place them.
    """
    limit, behaviour = graph.limit_of(asked.modifiers.get("limit")), ask.behaviours.instagram
    graph.not_too_much(limit, min(behaviour.largest_page or MAX_LIMIT, MAX_LIMIT))
    fields = asked.fields or (Field("id"),)
    graph.check_fields(fields, _MEDIA_FIELDS, "InstagramMedia")
    scope = f"instagram/{owner.id}"
    newest = owner.posts_by(ask.now)
    start = newest
    after, before = (asked.modifiers.get(name, "").strip() for name in ("after", "before"))
    if after:
        start = min(newest, _cursor(scope, after))
    elif before:
        start = min(newest, _cursor(scope, before) + 1 + limit)
    stop = max(0, start - limit)
    shown = [owner.items[_pinned_first(place, newest, behaviour.pinned)] for place in range(start - 1, stop - 1, -1)]
    if not shown:
        return {"data": []} if newest else None
    cursors = {}
    if start < newest:
        cursors["before"] = tokens.seal(scope, start - 1)
    if stop > 0:
        cursors["after"] = tokens.seal(scope, stop)
    page: dict[str, Any] = {"data": [_media(item, fields, ask.now) for item in shown]}
    return page | {"paging": {"cursors": cursors}} if cursors else page


def _pinned_first(place: int, newest: int, pinned: int) -> int:
    """Which medium stands at a place of the listing, where the `pinned` oldest have gone to its front."""
    front = min(pinned, newest)
    return place + front if place < newest - front else newest - 1 - place


def _cursor(scope: str, token: str) -> int:
    place = tokens.unseal(scope, token)
    if place is None:
        raise graph_error(100, "(#100) Invalid cursors values")
    return place


def _media(item: Item, fields: tuple[Field, ...], now: datetime) -> dict[str, Any]:
    counts = item.counts(now)
    values: dict[str, Any] = {
        "caption": item.text(now) or None,
        "timestamp": item.created_at.strftime("%Y-%m-%dT%H:%M:%S+0000"),
        "media_type": WORDS[item.kind].instagram_media_type,
        "media_product_type": WORDS[item.kind].instagram_media_product_type,
        "like_count": counts.likes,
        "comments_count": counts.comments,
        "view_count": counts.views,
        "permalink": item.post.permalink or f"https://www.instagram.com/p/{item.post.post_id}/",
        "username": item.owner.handle,
    }
    told = {asked.alias: values[asked.name] for asked in fields if values.get(asked.name) is not None}
    return told | {"id": item.id}
