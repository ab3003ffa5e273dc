-- stg_vendor_posts: posts of a vendor's files, which come in the words all platforms share.
--
-- grain   one row per (platform, month, post_id) of the month's newest finished collection; of a post that stands under
--         several accounts the one whose account_id comes first, of its observations the last
-- month   all months; readers filter
-- units   counts as of observed_at; null where the file has none
-- caveat  a month of a platform comes from its API or from files, never from both. An unknown kind is null. Every post
--         of YouTube and TikTok is a video

with worded as (
    select
        posts.platform,
        posts.account_id,
        posts.platform_account_id,
        posts.month,
        posts.post_id,
        posts.created_at,
        posts.text,
        posts.permalink,
        posts.likes,
        posts.comments,
        posts.shares,
        posts.views,
        posts.collection_id,
        posts.observed_at,
        case
            when posts.kind in (
                'photo', 'video', 'short', 'album', 'link', 'text', 'event', 'note', 'music', 'repost'
            ) then posts.kind
        end as kind
    from raw.vendor_posts as posts
    join staging.stg_collections as collections
        on collections.collection_id = posts.collection_id
    -- what was read under a handle that was corrected since is another account's
    anti join staging.stg_superseded_readings as superseded
        on superseded.month = posts.month
        and superseded.collection_id = posts.collection_id
        and superseded.account_id = posts.account_id
        and superseded.platform_account_id = posts.platform_account_id
    qualify row_number() over (
        partition by posts.platform, posts.month, posts.post_id
        order by posts.account_id, posts.observed_at desc, posts.payload::varchar
    ) = 1
)

select
    platform,
    account_id,
    platform_account_id,
    month,
    post_id,
    try_cast(created_at as timestamptz) as published_at,
    kind,
    coalesce(kind in ('video', 'short'), false)
        or (platform in ('youtube', 'tiktok') and kind is distinct from 'repost') as is_video,
    coalesce(kind = 'repost', false) as is_repost,
    text,
    permalink,
    likes,
    comments,
    shares,
    views,
    collection_id,
    observed_at
from worded
