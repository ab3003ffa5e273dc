-- stg_instagram_posts: the media of Instagram accounts, in the words all platforms share.
--
-- grain   one row per (month, post_id) of the month's newest finished collection; of a post that stands under several
--         accounts the one whose account_id comes first, of its observations the last
-- month   all months; readers filter
-- units   counts as of observed_at; null where Instagram did not report one
-- caveat  likes are null where the owner hides them: never 0. Shares are not offered; views only where Instagram sends
--         view_count, and then paid views are among them. Instagram shows no reposts

with once as (
    select
        posts.month,
        posts.account_id,
        posts.platform_account_id,
        posts.collection_id,
        posts.observed_at,
        posts.id,
        posts.timestamp,
        posts.caption,
        posts.permalink,
        posts.like_count,
        posts.comments_count,
        posts.view_count,
        posts.media_type,
        posts.media_product_type
    from raw.instagram_posts as posts
    join staging.stg_collections as collections
        on collections.collection_id = posts.collection_id
    where collections.repeated_posts = 0
    union all
    -- looking for the last observation of each post costs ten times the rest: only where a post came twice, or may have
    select
        posts.month,
        posts.account_id,
        posts.platform_account_id,
        posts.collection_id,
        posts.observed_at,
        posts.id,
        posts.timestamp,
        posts.caption,
        posts.permalink,
        posts.like_count,
        posts.comments_count,
        posts.view_count,
        posts.media_type,
        posts.media_product_type
    from raw.instagram_posts as posts
    join staging.stg_collections as collections
        on collections.collection_id = posts.collection_id
    -- what was read under a handle that was corrected since is another account's
    anti join staging.stg_superseded_readings as superseded
        on superseded.month = posts.month
        and superseded.collection_id = posts.collection_id
        and superseded.account_id = posts.account_id
        and superseded.platform_account_id = posts.platform_account_id
    where collections.repeated_posts is distinct from 0
    qualify row_number() over (
        partition by posts.month, posts.id
        order by posts.account_id, posts.observed_at desc, posts.payload::varchar
    ) = 1
),

worded as (
    select
        posts.month,
        posts.account_id,
        posts.platform_account_id,
        posts.collection_id,
        posts.observed_at,
        posts.id,
        posts.timestamp,
        posts.caption,
        posts.permalink,
        posts.like_count,
        posts.comments_count,
        posts.view_count,
        case
            when posts.media_type = 'VIDEO' and posts.media_product_type = 'REELS' then 'short'
            when posts.media_type = 'VIDEO' then 'video'
            when posts.media_type = 'CAROUSEL_ALBUM' then 'album'
            when posts.media_type = 'IMAGE' then 'photo'
        end as kind
    from once as posts
)

select
    'instagram' as platform,
    account_id,
    platform_account_id,
    month,
    id as post_id,
    try_cast(timestamp as timestamptz) as published_at,
    kind,
    kind in ('video', 'short') is true as is_video,
    false as is_repost,
    caption as text,
    permalink,
    like_count as likes,
    comments_count as comments,
    null::bigint as shares,
    view_count as views,
    collection_id,
    observed_at
from worded
