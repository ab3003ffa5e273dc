-- stg_tiktok_posts: the videos of TikTok accounts, in the words all platforms share.
--
-- grain   one row per (month, post_id) of the month's newest finished collection; of a post that stands under several
--         accounts the one whose account_id comes first, of its observations the last
-- month   all months; readers filter
-- units   counts as of observed_at; null where TikTok did not report one
-- caveat  ids are integers beyond 2^53 and become text here; create_time is in seconds since 1970. All are shorts

with once as (
    select
        posts.month,
        posts.account_id,
        posts.platform_account_id,
        posts.collection_id,
        posts.observed_at,
        posts.id,
        posts.create_time,
        posts.video_description,
        posts.username,
        posts.like_count,
        posts.comment_count,
        posts.share_count,
        posts.view_count
    from raw.tiktok_posts as posts
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
        posts.create_time,
        posts.video_description,
        posts.username,
        posts.like_count,
        posts.comment_count,
        posts.share_count,
        posts.view_count
    from raw.tiktok_posts as posts
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
)

select
    'tiktok' as platform,
    posts.account_id,
    posts.platform_account_id,
    posts.month,
    posts.id::varchar as post_id,
    to_timestamp(posts.create_time) as published_at,
    'short' as kind,
    true as is_video,
    false as is_repost,
    posts.video_description as text,
    'https://www.tiktok.com/@' || posts.username || '/video/' || posts.id::varchar as permalink,
    posts.like_count as likes,
    posts.comment_count as comments,
    posts.share_count as shares,
    posts.view_count as views,
    posts.collection_id,
    posts.observed_at
from once as posts
