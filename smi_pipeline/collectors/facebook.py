"""Facebook Pages through the Graph API: the Page's figures and its first page of posts in one request.

Requests: one for up to a hundred posts of the window, one more for each further page. Needs the app feature Page Public
Content Access. Views of other people's Pages do not exist; `shares` absent means none; reels may be missing.
Source: developers.facebook.com, Graph API v26.0: page/published_posts, results (paging).
"""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar
from urllib.parse import parse_qs, quote

from pydantic import AliasPath, Field, TypeAdapter

from smi_pipeline.collectors import graph
from smi_pipeline.collectors.asked import Asked, without_refused
from smi_pipeline.collectors.fields import AccountId, Count, PostId, PostRecord, Record, Text, Time, read
from smi_pipeline.collectors.harvest import Harvest
from smi_pipeline.collectors.http import Http, Wire
from smi_pipeline.collectors.paging import Pages, cursor_text
from smi_pipeline.collectors.quota import Endpoint
from smi_pipeline.collectors.reader import OneByOne, answered_at, same_author, same_name, same_owner
from smi_pipeline.collectors.records import Outcome
from smi_pipeline.collectors.verdict import Refusal, Reply, part
from smi_pipeline.settings import Settings

EDGE = "published_posts"
PAGE_ENDPOINT, POSTS_ENDPOINT = Endpoint("page"), Endpoint("published_posts")


class FacebookPage(Record):
    """A Page. `username` is absent where it has no vanity name; both counts are current ones."""

    id: AccountId
    name: Text = None
    username: Text = None
    link: Text = None
    followers_count: Count = None
    fan_count: Count = None


class FacebookPost(PostRecord):
    """A post of a Page. `shares_count` null: the platform left `shares` out, which it does for none."""

    time_field: ClassVar[str] = "created_time"

    id: PostId
    created_time: Time
    message: Text = None
    permalink_url: Text = None
    status_type: Text = None
    media_type: Text = Field(None, validation_alias=AliasPath("attachments", "data", 0, "media_type"))
    shares_count: Count = Field(None, validation_alias=AliasPath("shares", "count"))
    reactions_total_count: Count = Field(None, validation_alias=AliasPath("reactions", "summary", "total_count"))
    comments_total_count: Count = Field(None, validation_alias=AliasPath("comments", "summary", "total_count"))


PAGE = TypeAdapter(FacebookPage)
POSTS = TypeAdapter(list[FacebookPost])


def create(settings: Settings, wire: Wire) -> FacebookReader:
    """A collector for Facebook."""
    classify = partial(graph.classify, variable="SMI_FACEBOOK_TOKEN")
    http = graph.connect("facebook", settings, wire, classify=classify)
    return FacebookReader(http, settings.facebook_page_size)


class FacebookReader(OneByOne):
    """Reads Pages: by their id where the registry knows it (a renamed Page keeps it), else by their vanity name."""

    platform = "facebook"

    def __init__(self, http: Http, page_size: int) -> None:
        super().__init__(http)
        self._page_size = page_size

    async def probe(self) -> None:
        """Ask for the token's own id."""
        await self.http.ask(PAGE_ENDPOINT, "me", params={"fields": "id"})

    async def figures(self, harvest: Harvest) -> Outcome:
        """One request for the Page's own figures."""
        page_fields = self.asked("account", harvest)
        self.needed(0, 1)
        reply = await without_refused(lambda: self._node(harvest, str(page_fields)), page_fields)
        return self._observe(harvest, reply, page_fields)

    async def read(self, harvest: Harvest) -> Outcome:
        """One request for the Page and its newest posts of the window, then the pages that are left."""
        window = harvest.window
        page_fields, post_fields = self.asked("account", harvest), self.asked("post", harvest)
        # Whether `since` includes its own second is not written anywhere; the cut decides.
        span: dict[str, str | int] = {"since": int(window.start.timestamp()) - 1, "until": int(window.end.timestamp())}

        async def first(limit: int) -> Reply:
            posts = f"{EDGE}.since({span['since']}).until({span['until']}).limit({limit})"
            return await without_refused(
                lambda: self._node(harvest, f"{page_fields},{posts}{{{post_fields}}}"), page_fields, post_fields
            )

        async def further(limit: int, cursor: dict[str, str]) -> Reply:
            params = {**span, "limit": limit, **cursor}
            return await without_refused(
                lambda: self.http.ask(
                    POSTS_ENDPOINT,
                    f"{harvest.platform_account_id}/{EDGE}",
                    params={"fields": str(post_fields), **params},
                ),
                post_fields,
            )

        pages = Pages()
        try:
            reply, limit = await graph.in_smaller_pages(first, self._page_size)
            outcome = self._observe(harvest, reply, page_fields)
            edge = reply.part(EDGE)
            while edge is not None:  # an expanded edge without objects is left out
                cursor = _take(harvest, pages, edge, reply)
                if cursor is None:
                    break
                reply, limit = await graph.in_smaller_pages(partial(further, cursor=cursor), limit)
                edge = reply.body
        finally:
            self.needed(pages.seen, self._page_size)
        harvest.left_out(post_fields.refused)
        return outcome

    async def _node(self, harvest: Harvest, fields: str) -> Reply:
        node = quote(harvest.account.platform_account_id or harvest.account.handle, safe="")
        return await self.http.ask(PAGE_ENDPOINT, node, params={"fields": fields})

    @staticmethod
    def _observe(harvest: Harvest, reply: Reply, fields: Asked) -> Outcome:
        account = harvest.account
        record = {key: value for key, value in reply.body.items() if key != EDGE}
        page = read(PAGE, record, "the Page")
        same_owner(account, page.id)
        if account.platform_account_id is None and page.username and page.id != account.handle:
            same_name(account, page.username)
        harvest.platform_account_id = page.id
        harvest.observe(page, record, answered_at(reply))
        harvest.left_out(fields.refused)
        return harvest.called(page.username) if page.username and account.platform_account_id else "answered"


def _take(harvest: Harvest, pages: Pages, edge: Any, reply: Reply) -> dict[str, str] | None:
    """Keep a page's posts first, then look for the next page: the last page has posts too."""
    items = part(edge, "data")
    posts = read(POSTS, items, "the Page's posts")
    same_author("the posts", harvest.platform_account_id, items, "from", "id")
    older = harvest.add(posts, items, answered_at(reply))
    pages.page(post.id for post in posts)
    cursor = _next(edge)
    if older or cursor is None:
        return None
    pages.turn(repr(cursor))
    return cursor


def _next(edge: Any) -> dict[str, str] | None:
    """The parameters of the next page. `paging.next` says that there is one; its address is never followed."""
    address, what = part(edge, "paging", "next"), "the Page's posts"
    if address is None:
        return None
    if not isinstance(address, str):
        raise Refusal("failed", f"drift in {what}: paging.next: expected a text, found {type(address).__name__}")
    after = cursor_text(part(edge, "paging", "cursors", "after"), what)
    if after:
        return {"after": after}
    query = parse_qs(address.partition("?")[2])
    names = ("after",) if "after" in query else ("since", "until", "__paging_token")
    cursor = {name: cursor_text(query[name][0], what) for name in names if name in query}
    if not cursor:
        raise Refusal("failed", f"drift in {what}: paging.next without a cursor")
    return cursor
