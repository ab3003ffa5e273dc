-- stg_youtube_posts: the videos of YouTube channels, in the words all platforms share.
--
-- grain   one row per (month, post_id) of the month's newest finished collection; of a post that stands under several
--         accounts the one whose account_id comes first, of its observations the last
-- month   all months; readers filter
-- units   counts as of observed_at; null where YouTube did not report one
-- caveat  YouTube writes counts as text and leaves likeCount and commentCount out where the owner hides them: null, never
--         0. Shares are not offered. A Short is told from a video nowhere in the API: all are video. The text is the
--         title and, after an empty line, the description

with once as (
    select
        posts.month,
        posts.account_id,
        posts.platform_account_id,
        posts.collection_id,
        posts.observed_at,
        posts.id,
        posts."videoPublishedAt",
        posts."publishedAt",
        posts.title,
        posts.description,
        posts."likeCount",
        posts."commentCount",
        posts."viewCount"
    from raw.youtube_posts as posts
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
        posts."videoPublishedAt",
        posts."publishedAt",
        posts.title,
        posts.description,
        posts."likeCount",
        posts."commentCount",
        posts."viewCount"
    from raw.youtube_posts as posts
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
    'youtube' as platform,
    posts.account_id,
    posts.platform_account_id,
    posts.month,
    posts.id as post_id,
    try_cast(coalesce(posts."videoPublishedAt", posts."publishedAt") as timestamptz) as published_at,
    'video' as kind,
    true as is_video,
    false as is_repost,
    nullif(concat_ws(chr(10) || chr(10), nullif(posts.title, ''), nullif(posts.description, '')), '') as text,
    'https://www.youtube.com/watch?v=' || posts.id as permalink,
    try_cast(posts."likeCount" as bigint) as likes,
    try_cast(posts."commentCount" as bigint) as comments,
    null::bigint as shares,
    try_cast(posts."viewCount" as bigint) as views,
    posts.collection_id,
    posts.observed_at
from once as posts
