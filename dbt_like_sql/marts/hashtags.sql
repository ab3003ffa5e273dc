-- hashtags: what the month's posts were tagged with, and what came back.
--
-- grain   one row per (month, platform, hashtag); hashtags are folded and without their #
-- month   getvariable('month'), the first day
-- units   posts that carry the tag; sums over those posts, null where none of them reported the count; reach in views
-- caveat  reach is views where the platform reports views, else null: never interactions in their stead. On X a view is an
--         impression. `reach_posts` says how many of the posts reach stands on. A post with two tags counts for both, so
--         nothing here adds up. Accounts of the index only; no reposts

with tagged as (
    select
        posts.month,
        posts.platform,
        unnest(posts.hashtags) as hashtag,
        posts.post_id,
        posts.interactions,
        posts.views
    from staging.stg_posts as posts
    semi join index.account as accounts
        on accounts.month = posts.month
        and accounts.platform = posts.platform
        and accounts.account_id = posts.account_id
        and accounts.in_index
    where posts.month = getvariable('month') and not posts.is_repost
)

select
    month,
    platform,
    hashtag,
    count(post_id) as posts,
    cast(sum(interactions) as bigint) as interactions,
    cast(sum(views) as bigint) as reach,
    count(views) as reach_posts
from tagged
group by month, platform, hashtag
