"""The declared tables: what a platform said, in its own field names and types, never changed afterwards; and editions.

Every table is append-only. A raw row carries the collection that brought it, the month asked about, the registry's key
and the platform's own id of the account, when it was observed, the platform's fields, and the record itself as
`payload`.
"""

from __future__ import annotations

# Raised with every change of DECLARED, which may only add (CONTRIBUTING.md); lake/schema.py brings older lakes to it.
VERSION = 2

SCHEMAS = ("raw", "staging", "intermediate", "metrics", "index", "marts")

_COMMON = {
    "collection_id": "varchar",
    "month": "date",
    "account_id": "varchar",
    "platform_account_id": "varchar",
    "observed_at": "timestamptz",
}
_FIELDS: dict[str, dict[str, str]] = {
    "facebook_posts": {
        "id": "varchar",
        "created_time": "varchar",
        "message": "varchar",
        "permalink_url": "varchar",
        "status_type": "varchar",
        "media_type": "varchar",
        "shares_count": "bigint",
        "reactions_total_count": "bigint",
        "comments_total_count": "bigint",
    },
    "facebook_accounts": {
        "id": "varchar",
        "name": "varchar",
        "username": "varchar",
        "link": "varchar",
        "followers_count": "bigint",
        "fan_count": "bigint",
    },
    "x_posts": {
        "id": "varchar",
        "created_at": "varchar",
        "text": "varchar",
        "lang": "varchar",
        "retweet_count": "bigint",
        "reply_count": "bigint",
        "like_count": "bigint",
        "quote_count": "bigint",
        "bookmark_count": "bigint",
        "impression_count": "bigint",
        "referenced_tweet_types": "varchar[]",
        "media_types": "varchar[]",
    },
    "x_accounts": {
        "id": "varchar",
        "username": "varchar",
        "name": "varchar",
        "created_at": "varchar",
        "protected": "boolean",
        "followers_count": "bigint",
        "following_count": "bigint",
        "tweet_count": "bigint",
        "listed_count": "bigint",
    },
    "instagram_posts": {
        "id": "varchar",
        "timestamp": "varchar",
        "caption": "varchar",
        "permalink": "varchar",
        "media_type": "varchar",
        "media_product_type": "varchar",
        "like_count": "bigint",
        "comments_count": "bigint",
        "view_count": "bigint",
    },
    "instagram_accounts": {
        "id": "varchar",
        "username": "varchar",
        "name": "varchar",
        "followers_count": "bigint",
        "media_count": "bigint",
    },
    "youtube_posts": {
        "id": "varchar",
        "videoPublishedAt": "varchar",
        "publishedAt": "varchar",
        "title": "varchar",
        "description": "varchar",
        "viewCount": "varchar",
        "likeCount": "varchar",
        "commentCount": "varchar",
    },
    "youtube_accounts": {
        "id": "varchar",
        "title": "varchar",
        "customUrl": "varchar",
        "uploads": "varchar",
        "subscriberCount": "varchar",
        "viewCount": "varchar",
        "videoCount": "varchar",
        "hiddenSubscriberCount": "boolean",
    },
    "tiktok_posts": {
        "id": "bigint",
        "create_time": "bigint",
        "username": "varchar",
        "video_description": "varchar",
        "region_code": "varchar",
        "like_count": "bigint",
        "comment_count": "bigint",
        "share_count": "bigint",
        "view_count": "bigint",
        "favorites_count": "bigint",
        "video_duration": "bigint",
        "hashtag_names": "varchar[]",
    },
    "tiktok_accounts": {
        "display_name": "varchar",
        "is_verified": "boolean",
        "follower_count": "bigint",
        "following_count": "bigint",
        "likes_count": "bigint",
        "video_count": "bigint",
    },
    # A vendor's files, whatever the platform they are about.
    "vendor_posts": {
        "platform": "varchar",
        "post_id": "varchar",
        "created_at": "varchar",
        "kind": "varchar",
        "text": "varchar",
        "permalink": "varchar",
        "likes": "bigint",
        "comments": "bigint",
        "shares": "bigint",
        "views": "bigint",
    },
    "vendor_accounts": {
        "platform": "varchar",
        "handle": "varchar",
        "display_name": "varchar",
        "followers": "bigint",
    },
}

DECLARED: dict[str, dict[str, str]] = {
    **{f"raw.{name}": {**_COMMON, **fields, "payload": "json"} for name, fields in _FIELDS.items()},
    "raw.rejected": {
        "collection_id": "varchar",
        "platform": "varchar",
        "month": "date",
        "account_id": "varchar",
        "platform_post_id": "varchar",
        "field": "varchar",
        "value": "varchar",
        "reason": "varchar",
        "observed_at": "timestamptz",
        "payload": "json",
    },
    "raw.collection_account": {
        "collection_id": "varchar",
        "platform": "varchar",
        "month": "date",
        "account_id": "varchar",
        "handle": "varchar",
        "outcome": "varchar",
        "detail": "varchar",
        "observed_at": "timestamptz",
        "left_out": "varchar[]",
        # What the platform calls the account that was read; null where none was, and in rows of older lakes.
        "platform_account_id": "varchar",
    },
    "raw.collection_log": {
        "collection_id": "varchar",
        "platform": "varchar",
        "month": "date",
        "cut": "varchar",
        "status": "varchar",
        "started_at": "timestamptz",
        "recorded_at": "timestamptz",
        "finished_at": "timestamptz",
        "requests": "bigint",
        "accounts_asked": "bigint",
        "accounts_answered": "bigint",
        "accounts_failed": "bigint",
        "synthetic": "boolean",
        # The columns from here on came later: null in rows of older lakes.
        "requests_least": "bigint",
        "day": "date",
        "resume_at": "timestamptz",
        "source": "varchar",
        "reparsed_from": "varchar",
        "repeated_posts": "bigint",
        # The row's number in the order of the commits: what orders the rows, whatever clocks say. Rows of older lakes,
        # which have none, take that of DuckLake (`rowid`), which counts in the same order.
        "sequence": "bigint",
    },
    # Posts that two months have, by their collections: they count in the one whose collection read them last.
    "raw.moved_post": {
        "platform": "varchar",
        "account_id": "varchar",
        "post_id": "varchar",
        "month": "date",
        "collection_id": "varchar",
        "left_month": "date",
        "left_collection_id": "varchar",
        "observed_at": "timestamptz",
    },
    "raw.request_ledger": {
        "platform": "varchar",
        "day": "date",
        "endpoint": "varchar",
        "requests": "bigint",
        "units": "bigint",
        "records": "bigint",
        "usd": "double",
        "collection_id": "varchar",
        "run": "varchar",
        "recorded_at": "timestamptz",
    },
    "raw.input_file": {
        "kind": "varchar",
        "month": "date",
        "name": "varchar",
        "sha256": "varchar",
        "text": "varchar",
        "loaded_at": "timestamptz",
    },
    # What was removed on purpose, one row a collection: its payloads, or an account's posts.
    "raw.removed": {
        "kind": "varchar",
        "platform": "varchar",
        "account_id": "varchar",
        "month": "date",
        "collection_id": "varchar",
        "posts": "bigint",
        "accounts": "bigint",
        "rejected": "bigint",
        "reason": "varchar",
        "removed_at": "timestamptz",
        "last_snapshot": "bigint",
    },
    # The sums of posts that were removed with their account: the only figures left of them.
    "raw.forgotten_sums": {
        "collection_id": "varchar",
        "platform": "varchar",
        "account_id": "varchar",
        "month": "date",
        "is_repost": "boolean",
        "posts": "bigint",
        "videos": "bigint",
        "likes": "bigint",
        "comments": "bigint",
        "shares": "bigint",
        "views": "bigint",
        "complete_posts": "bigint",
        "complete_videos": "bigint",
        "complete_likes": "bigint",
        "complete_comments": "bigint",
        "complete_shares": "bigint",
        "viewed_videos": "bigint",
        "likes_above_views": "bigint",
    },
    "raw.lake_version": {
        "version": "bigint",
        "code": "varchar",
        "added": "varchar[]",
        "recorded_at": "timestamptz",
    },
    "index.edition_log": {
        "month": "date",
        "number": "bigint",
        "entry": "bigint",
        "state": "varchar",
        "status": "varchar",
        "ranks": "varchar",
        "method_version": "varchar",
        "method_files": "json",
        "zone": "varchar",
        "code_version": "varchar",
        "snapshot": "bigint",
        "tables_snapshot": "bigint",
        "collection_ids": "varchar[]",
        "inputs": "json",
        "tables": "json",
        "files": "json",
        "reason": "varchar",
        "recorded_at": "timestamptz",
    },
}

# Rows of raw.collection_log in the order of their commits.
LOG_ORDER = "coalesce(sequence, rowid)"
_COLLECTION_VIEW = f"""
create or replace view raw.collection as
select * from raw.collection_log
qualify row_number() over (
    partition by month, collection_id
    order by {LOG_ORDER} desc, recorded_at desc, requests desc, status
) = 1
"""
_EDITION_VIEW = """
create or replace view index.edition as
select * from index.edition_log
qualify row_number() over (partition by month, number order by entry desc) = 1
"""
VIEWS = (_COLLECTION_VIEW, _EDITION_VIEW)


def create_statements(there: set[tuple[str, str]]) -> list[str]:
    """Statements that create every declared table and column that is not `there`, and the views of their last states.

    `there`: table (with its schema) and column of everything the lake has.
    """
    known = {name for name, _ in there}
    tables = [_create(name, columns) for name, columns in DECLARED.items() if name not in known]
    tables += [
        f'alter table {name} add column "{column}" {kind}'
        for name, columns in DECLARED.items()
        for column, kind in columns.items()
        if name in known and (name, column) not in there
    ]
    by_month = [
        name
        for name, columns in DECLARED.items()
        if name not in known and ("payload" in columns or name in {"raw.collection_account", "raw.moved_post"})
    ]
    partitioned = [f"alter table {name} set partitioned by (month)" for name in by_month]
    return [*tables, *partitioned, *VIEWS]


def _create(name: str, columns: dict[str, str]) -> str:
    listed = ", ".join(f'"{column}" {kind}' for column, kind in columns.items())
    return f"create table {name} ({listed})"
