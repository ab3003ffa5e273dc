"""Facebook Pages as the Graph API shows them to an app with Page Public Content Access.

Not in any answer, because a third party cannot have it or the data do not: views, reactions by type, reels of the
`video_reels` edge. Any Graph version is served alike, and so is a path without one.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any, NamedTuple
from urllib.parse import urlencode

from smi_pipeline.sandbox import graph, tokens
from smi_pipeline.sandbox.exchange import Answer, Ask, RefusedError, present, words
from smi_pipeline.sandbox.graph import Field, graph_error
from smi_pipeline.sandbox.kinds import WORDS
from smi_pipeline.sandbox.world import Item, Owner, World

MAX_LIMIT = 100
EDGES = frozenset({"published_posts", "posts", "feed"})
SANDBOX_USER = {"id": "100000000000001", "name": "Sandbox"}

# What version 26 has, edges that can be expanded among them; the data have few of them, the others are left out.
_PAGE_FIELDS = frozenset(
    words(
        "id,name,username,link,followers_count,fan_count,published_posts,posts,feed,about,access_token,ad_campaign,"
        "affiliation,app_id,artists_we_like,attire,available_promo_offer_ids,awards,band_interests,band_members,"
        "best_page,bio,birthday,booking_agent,breaking_news_usage,built,business,can_checkin,can_post,category,"
        "category_list,checkins,company_overview,connected_instagram_account,connected_page_backed_instagram_account,"
        "contact_address,copyright_attribution_insights,copyright_whitelisted_ig_partners,country_page_likes,cover,"
        "culinary_team,current_location,delivery_and_pickup_option_info,description,description_html,"
        "differently_open_offerings,directed_by,display_subtext,displayed_message_response_time,"
        "does_viewer_have_page_permission_link_ig,emails,engagement,featured_video,features,food_styles,founded,"
        "general_info,general_manager,genre,global_brand_page_name,global_brand_root_id,has_added_app,"
        "has_lead_access,has_transitioned_to_new_page_experience,has_whatsapp_business_number,has_whatsapp_number,"
        "hometown,hours,impressum,influences,instagram_business_account,is_always_open,is_calling_eligible,is_chain,"
        "is_community_page,is_eligible_for_branded_content,"
        "is_eligible_for_disable_connect_ig_btn_for_non_page_admin_am_web,is_messenger_bot_get_started_enabled,"
        "is_messenger_platform_bot,is_owned,is_permanently_closed,is_published,is_unclaimed,is_verified,"
        "is_webhooks_subscribed,keywords,leadgen_tos_acceptance_time,leadgen_tos_accepted,leadgen_tos_accepting_user,"
        "location,members,merchant_id,merchant_review_status,messaging_feature_status,"
        "messenger_ads_default_icebreakers,messenger_ads_default_quick_replies,messenger_ads_quick_replies_type,"
        "mini_shop_storefront,mission,mpg,name_with_location_descriptor,network,new_like_count,offer_eligible,"
        "overall_star_rating,owner_business,page_backed_threads_account_id,page_token,parent_page,parking,"
        "payment_options,personal_info,personal_interests,pharma_safety_info,phone,photos,pickup_options,picture,"
        "place_type,plot_outline,preferred_audience,press_contact,price_range,priority_hours,privacy_info_url,"
        "produced_by,products,promotion_eligible,promotion_ineligible_reason,public_transit,rating_count,recipient,"
        "record_label,release_date,restaurant_services,restaurant_specialties,schedule,screenplay_by,season,"
        "single_line_address,starring,start_info,store_code,store_location_descriptor,store_number,studio,"
        "supports_donate_button_in_live_video,talking_about_count,temporary_status,unread_message_count,"
        "unread_notif_count,unseen_message_count,user_access_expire_time,verification_status,videos,voip_info,"
        "website,were_here_count,whatsapp_number,written_by"
    )
)
_POST_FIELDS = frozenset(
    words(
        "id,created_time,message,story,permalink_url,status_type,shares,reactions,comments,attachments,from,"
        "updated_time,actions,admin_creator,allowed_advertising_objectives,application,backdated_time,call_to_action,"
        "can_reply_privately,child_attachments,comments_mirroring_domain,coordinates,event,expanded_height,"
        "expanded_width,feed_targeting,full_picture,height,icon,instagram_eligibility,is_app_share,"
        "is_eligible_for_dark_post,is_eligible_for_promotion,is_expired,is_fb_live_videos,is_hidden,"
        "is_inline_created,is_instagram_eligible,is_live_clip,is_popular,is_published,is_spherical,likes,"
        "message_tags,multi_share_end_card,multi_share_optimized,parent_id,picture,place,privacy,promotable_id,"
        "promotion_status,properties,scheduled_publish_time,sharedposts,story_tags,subscribed,target,targeting,"
        "timeline_visibility,to,via,video_buying_eligibility,was_fb_live_videos,width"
    )
)
_ATTACHMENT_FIELDS = frozenset(
    words(
        "media_type,type,url,title,description,media,target,subattachments,unshimmed_url,description_tags,"
        "name,caption,filename,pid"
    )
)
_DEFAULT_PAGE = (Field("name"), Field("id"))
_DEFAULT_POST = (Field("created_time"), Field("message"), Field("id"))
_SUMMARY = frozenset({"true", "1", "total_count"})


class Facebook:
    """Answers for Pages and their posts. Keeps nothing but the number of calls in the current hour."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._hour: tuple[datetime, int] = (datetime.min.replace(tzinfo=UTC), 0)

    def answer(self, ask: Ask) -> Answer:
        """Answer one request under /v<version>/.

        Raises:
            RefusedError: the platform's own error.
        """
        graph.authorised(ask)
        node, edge = _node_and_edge(ask)
        if "ids" in ask.params:
            raise graph_error(100, "(#100) The ids parameter is no longer supported: request each object on its own")
        method = graph.method_of(ask)
        if method != "GET" or not node:
            raise graph_error(100, f"Unsupported {method.lower()} request.", kind="GraphMethodException")
        headers = self._usage(ask)
        if node == "me" and edge in {"", "accounts"}:  # it manages no Page: all are other people's
            return Answer({"data": []} if edge else _me(ask), headers=headers)
        owner = self._owner(node, ask.now)
        if isinstance(owner, Item):
            if edge:
                return Answer(_edge_of_post(owner, Field(edge, dict(ask.params)), ask.now), headers=headers)
            fields = graph.parse_fields(ask.params.get("fields", "")) or _DEFAULT_POST
            graph.check_fields(fields, _POST_FIELDS, "Post")
            return Answer(_post(owner, fields, ask.now), headers=headers)
        headers["X-Business-Use-Case-Usage"] = (
            f'{{"{owner.id}":[{{"type":"pages","call_count":0,"total_cputime":0,"total_time":0,'
            f'"estimated_time_to_regain_access":0}}]}}'
        )
        if edge:
            if edge not in EDGES:
                raise graph_error(2500, f"Unknown path components: /{edge}")
            asked = graph.parse_fields(ask.params.get("fields", "")) or None
            return Answer(_listing(owner, Field(edge, dict(ask.params), asked), ask), headers=headers)
        return Answer(_page(owner, ask), headers=headers)

    def _owner(self, node: str, now: datetime) -> Owner | Item:
        item = self._world.item("facebook", node, now)
        if item is not None:
            return item
        if re.fullmatch(r"[0-9_]+", node):
            owner = self._world.by_id("facebook", node, now) or self._world.by_handle("facebook", node, now)
            if owner is None:
                raise missing_object(node)
        else:
            owner = self._world.by_handle("facebook", node, now)
            if owner is None:
                message = f"(#803) Some of the aliases you requested do not exist: {node}"
                raise graph_error(803, message, status=HTTPStatus.NOT_FOUND)
        return owner

    def _usage(self, ask: Ask) -> dict[str, str]:
        now, allowed = ask.now, ask.limits.facebook.calls_an_hour
        hour = now.replace(minute=0, second=0, microsecond=0)
        calls = self._hour[1] + 1 if self._hour[0] == hour else 1
        self._hour = hour, calls
        graph.used_up(calls, allowed)
        return {"X-App-Usage": graph.usage_header(calls, allowed)}


def missing_object(node: str) -> RefusedError:
    """Error 100 with subcode 33: the id is no object the token may see."""
    message = (
        f"Unsupported get request. Object with ID '{node}' does not exist, cannot be loaded due to missing "
        "permissions, or does not support this operation. Please read the Graph API documentation at "
        "https://developers.facebook.com/docs/graph-api"
    )
    return graph_error(100, message, kind="GraphMethodException", error_subcode=33)


def _node_and_edge(ask: Ask) -> tuple[str, str]:
    _, parts = graph.steps(ask.path)
    node, edge, *rest = [*parts, "", ""]
    if any(rest):
        raise graph_error(2500, f"Unknown path components: /{'/'.join(parts[1:])}")
    return node, edge


def _me(ask: Ask) -> dict[str, Any]:
    fields = graph.parse_fields(ask.params.get("fields", "")) or (Field("name"),)
    graph.check_fields(fields, frozenset(SANDBOX_USER), "User")
    return {asked.alias: SANDBOX_USER[asked.name] for asked in fields} | {"id": SANDBOX_USER["id"]}


def _page(owner: Owner, ask: Ask) -> dict[str, Any]:
    fields = graph.parse_fields(ask.params.get("fields", "")) or _DEFAULT_PAGE
    graph.check_fields(fields, _PAGE_FIELDS, "Page")
    told: dict[str, Any] = {}
    for asked in fields:
        value: Any = None
        match asked.name:
            case "name":
                value = owner.name
            case "username":
                value = owner.handle
            case "link":
                value = f"https://www.facebook.com/{owner.handle}"
            case "followers_count" | "fan_count":
                value = owner.followers(ask.now)
            case edge if edge in EDGES:
                listing = _listing(owner, asked, ask)
                value = listing if listing != {"data": []} else None  # without objects it is left out
        if value is not None:
            told[asked.alias] = value
    return told | {"id": owner.id}


class _Window(NamedTuple):
    """The places [low, high) a listing may show, before any cursor."""

    low: int
    high: int


def _listing(owner: Owner, asked: Field, ask: Ask) -> dict[str, Any]:
    """One page of an edge, newest first; `asked.modifiers` are the parameters of the listing, empty ones are none."""
    options = {name: value.strip() for name, value in asked.modifiers.items() if value.strip()}
    limit = graph.limit_of(options.get("limit"))
    if limit > MAX_LIMIT:
        raise graph_error(100, f"(#100) Param limit must be less than or equal to {MAX_LIMIT}")
    behaviour = ask.behaviours.facebook
    graph.not_too_much(limit, behaviour.largest_page)
    fields = asked.fields or _DEFAULT_POST
    graph.check_fields(fields, _POST_FIELDS, "Post")
    window = _window(owner, options, ask)
    wanted = _SUMMARY & set(words(options.get("summary", "")))
    summary: dict[str, Any] = {"summary": {"total_count": window.high - window.low}} if wanted else {}
    scope = f"facebook/{owner.id}"
    empty = tokens.unseal(f"{scope}/empty", options.get("after", "")) or 0
    began = "after" in options and not _is_empty_page(scope, options["after"])
    if not began and empty < behaviour.empty_pages and window.high > window.low:
        after = tokens.seal(f"{scope}/empty", empty + 1)
        following = _page_url(owner, asked, ask, {"after": after})
        return {"data": [], "paging": {"cursors": {"after": after}, "next": following}} | summary
    start, stop = window.high, window.low
    if "__paging_token" in options:
        start = min(start, _cursor(scope, options["__paging_token"]))
        stop = max(stop, start - limit)
    elif "after" in options and not _is_empty_page(scope, options["after"]):
        start = min(start, _cursor(scope, options["after"]))
        stop = max(stop, start - limit)
    elif "before" in options:
        stop = max(stop, _cursor(scope, options["before"]) + 1)
        start = min(start, stop + limit)
    else:
        stop = max(stop, start - limit)
    shown = owner.items[stop:start][::-1]
    if not shown:
        return {"data": []} | summary
    before, after = tokens.seal(scope, shown[0].place), tokens.seal(scope, shown[-1].place)
    paging: dict[str, Any] = {}
    if not behaviour.time_paging:
        paging["cursors"] = {"before": before, "after": after}
        if start < window.high:
            paging["previous"] = _page_url(owner, asked, ask, {"before": before})
    if stop > window.low:
        until = str(int(shown[-1].created_at.timestamp()))
        older = {"until": until, "__paging_token": after}
        paging["next"] = _page_url(owner, asked, ask, older if behaviour.time_paging else {"after": after})
    return {"data": [_post(item, fields, ask.now) for item in shown], "paging": paging} | summary


def _is_empty_page(scope: str, cursor: str) -> bool:
    return tokens.unseal(f"{scope}/empty", cursor) is not None


def _window(owner: Owner, options: dict[str, str], ask: Ask) -> _Window:
    slack = timedelta(seconds=ask.behaviours.facebook.slack_seconds)
    high = owner.posts_by(ask.now)
    if "until" in options:
        high = min(high, owner.posts_by(_instant("until", options["until"]) + slack))
    low = owner.posts_before(_instant("since", options["since"]) - slack) if "since" in options else 0
    return _Window(min(low, high), high)


def _instant(name: str, text: str) -> datetime:
    """A bound of the window: unix seconds, or a date or time (of UTC where it does not say)."""
    try:
        if re.fullmatch(r"-?[0-9]{1,11}", text):
            return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=int(text))
        instant = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        raise graph_error(100, f"(#100) Param {name} must be a valid unix timestamp or date") from None
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


def _cursor(scope: str, token: str) -> int:
    place = tokens.unseal(scope, token)
    if place is None:
        raise graph_error(100, "(#100) Invalid cursors values")
    return place


def _page_url(owner: Owner, asked: Field, ask: Ask, place: dict[str, str]) -> str:
    """The full address of a neighbouring page, the token in it, as the Graph API writes it."""
    kept: dict[str, str] = {
        name: asked.modifiers[name] for name in ("since", "until", "limit", "summary") if asked.modifiers.get(name)
    }
    fields = {"fields": ",".join(map(str, asked.fields))} if asked.fields else {}
    query = {"access_token": graph.authorised(ask), **fields, **kept, **place}
    version, _ = graph.steps(ask.path)
    return f"{ask.origin}/{version or graph.NEWEST_VERSION}/{owner.id}/{asked.name}?{urlencode(query)}"


def _post(item: Item, fields: tuple[Field, ...], now: datetime) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for asked in fields:
        value = _counted_value(item, asked, now) or _own_value(item, asked, now)
        if value is not None:
            told[asked.alias] = value
    return told | {"id": item.id}


def _own_value(item: Item, asked: Field, now: datetime) -> Any:
    value: Any = None
    match asked.name:
        case "created_time" | "updated_time":
            value = item.created_at.strftime("%Y-%m-%dT%H:%M:%S+0000")
        case "message":
            value = item.text(now) or None
        case "permalink_url":
            value = item.post.permalink or f"https://www.facebook.com/{item.id.replace('_', '/posts/', 1)}"
        case "status_type":
            value = WORDS[item.kind].facebook_status_type
        case "attachments":
            value = _attachments(asked, item)
        case "from":
            value = {"name": item.owner.name, "id": item.owner.id}
    return value


def _counted_value(item: Item, asked: Field, now: datetime) -> dict[str, Any] | None:
    counts = item.counts(now)
    match asked.name:
        case "shares":
            return {"count": counts.shares} if counts.shares else None  # the one count that is left out at zero too
        case "reactions" if "type" not in asked.modifiers:
            return _counted(asked, counts.likes, total_count=counts.likes, viewer_reaction="NONE")
        case "comments":
            return _counted(asked, counts.comments, order="ranked", total_count=counts.comments, can_comment=True)
        case _:
            return None


def _counted(asked: Field, count: int | None, **summary: Any) -> dict[str, Any] | None:
    """An edge that is only counted: nobody's comments or reactions are in a data set."""
    if count is None:
        return None
    wanted = words(asked.modifiers.get("summary", ""))
    edge: dict[str, Any] = {"data": []}
    return edge | {"summary": summary} if _SUMMARY & set(wanted) else edge


def _edge_of_post(item: Item, asked: Field, now: datetime) -> dict[str, Any]:
    """A post's comments or reactions on their own path: how many, and none of them."""
    if asked.name not in {"comments", "reactions"}:
        raise graph_error(2500, f"Unknown path components: /{asked.name}")
    return _counted_value(item, asked, now) or {"data": []}


def _attachments(asked: Field, item: Item) -> dict[str, Any] | None:
    fields = asked.fields or (Field("media_type"), Field("type"))
    graph.check_fields(fields, _ATTACHMENT_FIELDS, "StoryAttachment")
    media_type = WORDS[item.kind].facebook_media_type
    if media_type is None:
        return None
    types = {"video": "video_inline", "link": "share"}
    values: dict[str, Any] = present(
        media_type=media_type, type=types.get(media_type, media_type), url=item.post.permalink or None
    )
    return {"data": [{part.alias: values[part.name] for part in fields if part.name in values}]}
