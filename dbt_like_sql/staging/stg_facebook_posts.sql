-- stg_facebook_posts: the posts of Facebook Pages, in the words all platforms share.
--
-- grain   one row per (month, post_id) of the month's newest finished collection; of a post that stands under several
--         accounts the one whose account_id comes first, of its observations the last
-- month   all months; readers filter
-- units   counts as of observed_at; null where Facebook did not report one
-- caveat  likes are all reactions, not only the Like. Facebook leaves `shares` out where nobody shared, so its absence
--         from the payload is a 0, the only place where silence is one; a share count that was sent and refused as bad
--         stays null, and so do all of an account where Facebook refused to be asked for shares. Views of other people's
--         Pages are not offered. A shared story that shows a photo, an album or a video, or nothing, is somebody else's
--         post: a repost

with once as (
    select
        posts.month,
        posts.account_id,
        posts.platform_account_id,
        posts.collection_id,
        posts.observed_at,
        posts.id,
        posts.created_time,
        posts.message,
        posts.permalink_url,
        posts.reactions_total_count,
        posts.comments_total_count,
        posts.shares_count,
        posts.media_type,
        posts.status_type,
        posts.payload
    from raw.facebook_posts as posts
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
        posts.created_time,
        posts.message,
        posts.permalink_url,
        posts.reactions_total_count,
        posts.comments_total_count,
        posts.shares_count,
        posts.media_type,
        posts.status_type,
        posts.payload
    from raw.facebook_posts as posts
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

outcomes as (
    select
        asked.month,
        asked.collection_id,
        asked.account_id,
        bool_or(list_contains(asked.left_out, 'shares')) as without_shares
    from raw.collection_account as asked
    where asked.platform = 'facebook'
    group by asked.month, asked.collection_id, asked.account_id
),

worded as (
    select
        posts.month,
        posts.account_id,
        posts.platform_account_id,
        posts.collection_id,
        posts.observed_at,
        posts.id,
        posts.created_time,
        posts.message,
        posts.permalink_url,
        posts.reactions_total_count,
        posts.comments_total_count,
        case
            when posts.shares_count is not null then posts.shares_count
            when json_exists(posts.payload, '$.shares') or outcomes.without_shares then null
            else 0
        end as shares_count,
        case
            when posts.media_type in ('link', 'share') then 'link'
            when posts.media_type in ('event', 'note', 'music') then posts.media_type
            when posts.status_type = 'shared_story' then 'repost'
            when posts.media_type = 'video' and posts.status_type = 'mobile_status_update' then 'short'
            when posts.media_type = 'video' and contains(posts.permalink_url, '/reel/') then 'short'
            when posts.media_type in ('photo', 'video', 'album') then posts.media_type
            when posts.status_type = 'added_photos' then 'photo'
            when posts.status_type = 'added_video' then 'video'
            when posts.status_type = 'created_event' then 'event'
            when posts.status_type = 'created_note' then 'note'
            when posts.status_type = 'mobile_status_update' then 'text'
        end as kind
    from once as posts
    left join outcomes
        on outcomes.month = posts.month
        and outcomes.collection_id = posts.collection_id
        and outcomes.account_id = posts.account_id
)

select
    'facebook' as platform,
    account_id,
    platform_account_id,
    month,
    id as post_id,
    try_cast(created_time as timestamptz) as published_at,
    kind,
    kind in ('video', 'short') is true as is_video,
    kind = 'repost' is true as is_repost,
    message as text,
    permalink_url as permalink,
    reactions_total_count as likes,
    comments_total_count as comments,
    shares_count as shares,
    null::bigint as views,
    collection_id,
    observed_at
from worded
