-- top_posts: the ten posts of each platform that people reacted to most, and the three of each city.
--
-- grain   one row per (month, platform, position); position counts the platform's posts, city_position those of the city
-- month   getvariable('month'), the first day
-- units   counts as of the collection; null where the platform did not report one
-- caveat  accounts of the index only; no reposts; a post without any reported reaction cannot be placed and is left out.
--         Equal posts are ordered by their ids

with placed as (
    select
        posts.month,
        posts.platform,
        accounts.city_id,
        posts.account_id,
        posts.post_id,
        posts.published_at,
        posts.kind,
        posts.text,
        posts.permalink,
        posts.likes,
        posts.comments,
        posts.shares,
        posts.views,
        posts.interactions,
        row_number() over (
            partition by posts.month, posts.platform
            order by posts.interactions desc, posts.post_id, accounts.city_id
        ) as position,
        row_number() over (
            partition by posts.month, posts.platform, accounts.city_id
            order by posts.interactions desc, posts.post_id
        ) as city_position
    from staging.stg_posts as posts
    join index.account as accounts
        on accounts.month = posts.month
        and accounts.platform = posts.platform
        and accounts.account_id = posts.account_id
        and accounts.in_index
    where
        posts.month = getvariable('month')
        and not posts.is_repost
        and posts.interactions is not null
)

select
    month,
    platform,
    city_id,
    account_id,
    post_id,
    published_at,
    kind,
    text,
    permalink,
    likes,
    comments,
    shares,
    views,
    interactions,
    position,
    city_position
from placed
where position <= 10 or city_position <= 3
