"""Instagram professional accounts through business_discovery: figures and media in one request, by handle only.

Requests: one for each fifty media from the newest back to the window's start. Business and creator accounts only;
missing, renamed, personal and age-gated ones are told apart by nothing. `like_count` is absent where likes are hidden,
there are no shares. Source: developers.facebook.com, IG User business_discovery (v26.0).
"""

from __future__ import annotations

from typing import Any, ClassVar
from urllib.parse import quote

from pydantic import TypeAdapter

from smi_pipeline.collectors import graph
from smi_pipeline.collectors.asked import Asked, without_refused
from smi_pipeline.collectors.credentials import credential
from smi_pipeline.collectors.fields import AccountId, Count, PostId, PostRecord, Record, Text, Time, compact, read
from smi_pipeline.collectors.harvest import ENOUGH, Harvest
from smi_pipeline.collectors.http import Http, Wire
from smi_pipeline.collectors.paging import Pages, cursor_text, fewest
from smi_pipeline.collectors.quota import Endpoint
from smi_pipeline.collectors.reader import OneByOne, answered_at, same_author, same_name, same_owner
from smi_pipeline.collectors.records import Outcome
from smi_pipeline.collectors.verdict import Refusal, Reply, Verdict, part
from smi_pipeline.settings import Settings

DISCOVERY = Endpoint("business_discovery")
PINNED = 3  # so many media can stand before the newest one: where pages are that small, an old page is no end yet


class InstagramAccount(Record):
    """A professional account as another one sees it. Both counts are current ones."""

    id: AccountId
    username: Text = None
    name: Text = None
    followers_count: Count = None
    media_count: Count = None


class InstagramPost(PostRecord):
    """One medium. `view_count` is there for videos at most."""

    time_field: ClassVar[str] = "timestamp"

    id: PostId
    timestamp: Time
    caption: Text = None
    permalink: Text = None
    media_type: Text = None
    media_product_type: Text = None
    like_count: Count = None
    comments_count: Count = None
    view_count: Count = None


ACCOUNT = TypeAdapter(InstagramAccount)
POSTS = TypeAdapter(list[InstagramPost])


def classify(reply: Reply) -> Verdict:
    """As the Graph API does; but what is not permitted before anything was is so whoever is asked about."""
    verdict = graph.classify(reply, variable="SMI_INSTAGRAM_TOKEN")
    if verdict.kind == "permission":
        remedy = "give SMI_INSTAGRAM_TOKEN instagram_basic, instagram_manage_insights and pages_read_engagement"
        return Verdict("auth", verdict.detail, remedy=remedy, later="permission")
    if verdict.kind == "missing":  # the node asked is our own account
        return Verdict("auth", verdict.detail, remedy="set SMI_INSTAGRAM_USER_ID to the asking account's own id")
    return verdict


def create(settings: Settings, wire: Wire) -> InstagramReader:
    """A collector for Instagram."""
    http = graph.connect("instagram", settings, wire, classify=classify)
    own_id = credential(settings, "instagram", "instagram_user_id")
    return InstagramReader(http, own_id, settings.instagram_page_size)


class InstagramReader(OneByOne):
    """Reads professional accounts through the asking account `own_id`."""

    platform = "instagram"

    def __init__(self, http: Http, own_id: str, page_size: int) -> None:
        super().__init__(http)
        self._own_id = quote(own_id, safe="")
        self._page_size = page_size

    async def probe(self) -> None:
        """Ask for a well-known account's id."""
        await self._discover("instagram", "id")

    async def figures(self, harvest: Harvest) -> Outcome:
        """One request for the account's own figures."""
        fields = self.asked("account", harvest)
        self.needed(0, 1)
        reply = await without_refused(lambda: self._discover(harvest.account.handle, str(fields)), fields)
        self._observe(harvest, reply.part("business_discovery"), reply)
        harvest.left_out(fields.refused)
        return "answered"

    async def read(self, harvest: Harvest) -> Outcome:
        """Page from the newest medium back until a whole page is older: a pinned one may stand in front."""
        fields, media_fields = self.asked("account", harvest), self.asked("post", harvest)
        pages = Pages()
        try:
            outcome = await self._pages(harvest, fields, media_fields, pages)
        finally:
            self.needed(pages.seen, self._page_size)
        harvest.left_out([*fields.refused, *media_fields.refused])
        return outcome

    async def _pages(self, harvest: Harvest, fields: Asked, media_fields: Asked, pages: Pages) -> Outcome:
        after, limit, listed = "", self._page_size, 0
        totals: list[tuple[Any, int]] = []
        while True:

            async def listing(limit: int, after: str = after) -> Reply:
                return await without_refused(
                    lambda: self._discover(
                        harvest.account.handle, f"{fields},media{after}.limit({limit}){{{media_fields}}}"
                    ),
                    fields,
                    media_fields,
                )

            reply, limit = await graph.in_smaller_pages(listing, limit)
            found = reply.part("business_discovery")
            media = part(found, "media")
            shown = part(media, "data")
            totals.append((part(found, "media_count"), listed + (len(shown) if isinstance(shown, list) else 0)))
            if not after:
                self._observe(harvest, found, reply)
            if media is None:  # an expanded edge without objects is left out
                return _as_many_as_said(media, listed, totals, reply)
            items = part(media, "data")
            posts = read(POSTS, items, "the account's media")
            same_author("the media", harvest.account.handle, items, "username")
            same_author("the media", harvest.platform_account_id, items, "owner", "id")
            listed += len(posts)
            pages.page(post.id for post in posts)
            older = harvest.add(posts, items, answered_at(reply))
            if older and pages.seen > PINNED:
                return "answered"
            if pages.seen >= ENOUGH:  # where no time can be read, none is older: the listing would be read to its end
                harvest.require_placed()
            cursor = cursor_text(part(media, "paging", "cursors", "after"), "the account's media")
            if not cursor:
                return _as_many_as_said(media, listed, totals, reply)
            pages.turn(cursor)
            after = f".after({cursor})"

    async def _discover(self, username: str, fields: str) -> Reply:
        return await self.http.ask(
            DISCOVERY, self._own_id, params={"fields": f"business_discovery.username({username}){{{fields}}}"}
        )

    @staticmethod
    def _observe(harvest: Harvest, found: object, reply: Reply) -> None:
        record = {key: value for key, value in found.items() if key != "media"} if isinstance(found, dict) else found
        account = read(ACCOUNT, record, "business_discovery")
        same_owner(harvest.account, account.id)
        if account.username:  # also where the id is right: nobody is found by id here
            same_name(harvest.account, account.username)
        harvest.platform_account_id = account.id
        harvest.observe(account, record, answered_at(reply))


def _as_many_as_said(media: object, listed: int, totals: list[tuple[Any, int]], reply: Reply) -> Outcome:
    """Make sure that media which are read to their end are as many as the account is said to have.

    Raises:
        Refusal: drift, they are fewer; or a page without media came after others, and nothing says that they are all.
    """
    told = fewest(totals)
    if (told is not None and told > listed) or (told is None and media is None and listed > 0):
        said = f"drift in the account's media: {listed} although media_count is {compact(told)}"
        raise Refusal("failed", said, at=reply.at)
    return "answered"
