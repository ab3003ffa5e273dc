"""X's posts and users as its API shows them, in both of its vocabularies.

A request that says `post.fields` is answered in the newer words (`repost_count`, `post_count`, `referenced_posts`,
`includes.posts`), every other in the older ones. Quotes, bookmarks, languages and the posts behind retweets are not in
a data set and so not in an answer; whoever expands a retweet's original is told beside the data that it is not there.
But X tells no post without quotes and bookmarks and no user without `following_count` and `listed_count`: they are 0,
all `shares` having gone out as reposts. In the older words quotes are left out where the data set has no `shares`: what
is unknown must not become 0 for whoever adds the two.

Texts, and the names of users, have `&`, `<` and `>` as entities, as X sends them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from smi_pipeline.sandbox import identity
from smi_pipeline.sandbox.exchange import Ask, iso, present, words
from smi_pipeline.sandbox.kinds import WORDS
from smi_pipeline.sandbox.world import Item, Owner
from smi_pipeline.sandbox.x_parameters import EARLIEST, chosen, not_found

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
_BARE_AMPERSAND = re.compile(r"&(?!(?:amp|lt|gt);)")
_URL = re.compile(r"https?://[^\s]+")


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The words that differ between the two."""

    word: str
    fields_parameter: str
    reposts: str
    total: str
    referenced: str
    history: str
    quotes_required: bool = False
    further_fields: str = ""
    further_expansions: str = ""

    @property
    def included(self) -> str:
        """What this vocabulary calls the posts among the included objects."""
        return f"{self.word}s"

    @property
    def fields(self) -> list[str]:
        """What may be asked of a post."""
        return [*words(_SHARED_FIELDS), self.referenced, self.history, *words(self.further_fields)]

    @property
    def expansions(self) -> list[str]:
        """What may be expanded of a post or a user."""
        shared = (
            "author_id,in_reply_to_user_id,attachments.media_keys,attachments.poll_ids,geo.place_id,article.cover_media,"
            "article.media_entities,attachments.media_source_tweet,entities.mentions.username"
        )
        return words(
            f"{shared},{self.referenced}.id,{self.referenced}.id.author_id,{self.history},pinned_{self.word}_id,"
            f"most_recent_{self.word}_id,{self.further_expansions}"
        )


OLDER = Vocabulary(
    "tweet", "tweet.fields", "retweet_count", "tweet_count", "referenced_tweets", "edit_history_tweet_ids"
)
NEWER = Vocabulary(
    *("post", "post.fields", "repost_count", "post_count", "referenced_posts", "edit_history_post_ids"),
    quotes_required=True,
    further_fields="article_title,matched_media_notes,note_post,note_request_suggestions,paid_partnership,"
    "suggested_source_links,suggested_source_links_with_counts",
    further_expansions="referenced_posts,username",
)


class View:
    """Which fields a request wants, and posts told with those and no others."""

    def __init__(self, ask: Ask, *further_expansions: str) -> None:
        self.ask = ask
        self.vocabulary = vocabulary = NEWER if "post.fields" in ask.params else OLDER
        fields = chosen(ask, vocabulary.fields_parameter, vocabulary.fields)
        self.fields = {"id", "text", vocabulary.history, *fields}
        self.expansions = chosen(ask, "expansions", [*vocabulary.expansions, *further_expansions])
        self.media_fields = {"media_key", "type", *chosen(ask, "media.fields", _MEDIA_FIELDS)}
        if "attachments.media_keys" in self.expansions:
            self.fields.add("attachments")
        if "author_id" in self.expansions:
            self.fields.add("author_id")
        if {vocabulary.referenced, f"{vocabulary.referenced}.id"} & set(self.expansions):
            self.fields.add(vocabulary.referenced)

    def post(self, item: Item) -> dict[str, Any]:
        """One post with the asked-for fields that the data have."""
        counts, text = item.counts(self.ask.now), escaped(item.text(self.ask.now))
        metrics = present(
            **{self.vocabulary.reposts: counts.shares},
            reply_count=counts.comments,
            like_count=counts.likes,
            quote_count=0 if self.vocabulary.quotes_required or counts.shares is not None else None,
            bookmark_count=0,
            impression_count=counts.views,
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
                users[item.owner.id] = user_object(item.owner, self.ask)
        posts = [self.post(item) for item in items] if self.vocabulary.history in self.expansions else []
        told = {self.vocabulary.included: posts or None}
        return present(media=media or None, users=list(users.values()) or None, **told) or None

    def lost(self, items: Iterable[Item]) -> list[dict[str, Any]]:
        """What was to be expanded and is not there: the originals of retweets."""
        asked = {self.vocabulary.referenced, f"{self.vocabulary.referenced}.id"} & set(self.expansions)
        originals = [one["id"] for item in items for one in _referenced(item) or ()] if asked else []
        return [not_found(self.vocabulary.word, min(asked), original) for original in originals]


def user_object(owner: Owner, ask: Ask) -> dict[str, Any]:
    """One user with the asked-for fields that the data have."""
    vocabulary = NEWER if "post.fields" in ask.params else OLDER
    wanted = {"id", "name", "username", *chosen(ask, "user.fields", _USER_FIELDS)}
    now = ask.now
    since = (
        owner.times[0].replace(month=1, day=1, hour=0, minute=0, second=0, microsecond=0) if owner.times else EARLIEST
    )
    values: dict[str, Any] = {
        "id": owner.id,
        "name": escaped(owner.name),
        "username": owner.handle,
        "created_at": iso(since, milliseconds=True),
        "protected": False,
        "verified": False,
        f"most_recent_{vocabulary.word}_id": newest(owner, now).id if owner.posts_by(now) else None,
        "public_metrics": present(
            followers_count=owner.followers(now),
            following_count=0,
            **{vocabulary.total: owner.posts_by(now)},
            listed_count=0,
        ),
    }
    return {name: value for name, value in values.items() if name in wanted and value is not None}


def escaped(text: str) -> str:
    """A text as X sends it: these three characters as entities, no others.

    Data sets recorded from X have them already: an entity is sent as it is, never escaped twice.
    """
    return _BARE_AMPERSAND.sub("&amp;", text).replace("<", "&lt;").replace(">", "&gt;")


def newest(owner: Owner, now: datetime) -> Item:
    """The newest post that an owner has had up to now; there must be one."""
    return owner.items[owner.posts_by(now) - 1]


def included_of_users(owners: list[Owner], ask: Ask) -> dict[str, Any] | None:
    """The newest posts of users, where they are to be expanded; `None` = nothing is."""
    view = View(ask, "affiliation", "affiliation.user_id")
    if f"most_recent_{view.vocabulary.word}_id" not in view.expansions:
        return None
    posts = [view.post(newest(owner, ask.now)) for owner in owners if owner.posts_by(ask.now)]
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
