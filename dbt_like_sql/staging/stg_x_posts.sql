-- stg_x_posts: the posts of X accounts, replies included, in the words all platforms share.
--
-- grain   one row per (month, post_id) of the month's newest finished collection; of a post that stands under several
--         accounts the one whose account_id comes first, of its observations the last
-- month   all months; readers filter
-- units   counts as of observed_at; null where X did not report one
-- caveat  shares are retweets and quotes together; comments are replies; views are impressions, also of posts without a
--         video. A retweet carries the original's words and counts: is_repost keeps it apart. An animated GIF is no
--         video. X does not tell a post with a link from one without: both are text. X sends & < > as entities: the text
--         here has the characters, the payload and raw.x_posts what was sent

with once as (
    select
        posts.month,
        posts.account_id,
        posts.platform_account_id,
        posts.collection_id,
        posts.observed_at,
        posts.id,
        posts.created_at,
        posts.text,
        posts.like_count,
        posts.reply_count,
        posts.retweet_count,
        posts.quote_count,
        posts.impression_count,
        posts.referenced_tweet_types,
        posts.media_types
    from raw.x_posts as posts
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
        posts.created_at,
        posts.text,
        posts.like_count,
        posts.reply_count,
        posts.retweet_count,
        posts.quote_count,
        posts.impression_count,
        posts.referenced_tweet_types,
        posts.media_types
    from raw.x_posts as posts
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
        posts.created_at,
        posts.text,
        posts.like_count,
        posts.reply_count,
        posts.retweet_count,
        posts.quote_count,
        posts.impression_count,
        posts.media_types,
        list_has_any(posts.referenced_tweet_types, ['retweeted', 'reposted']) is true as is_repost,
        list_contains(posts.media_types, 'video') is true as has_video
    from once as posts
)

select
    'x' as platform,
    account_id,
    platform_account_id,
    month,
    id as post_id,
    try_cast(created_at as timestamptz) as published_at,
    case
        when is_repost then 'repost'
        when has_video then 'video'
        when len(media_types) > 1 then 'album'
        when len(media_types) = 1 then 'photo'
        when len(media_types) = 0 then 'text'
    end as kind,
    has_video and not is_repost as is_video,
    is_repost,
    replace(replace(replace(text, '&lt;', '<'), '&gt;', '>'), '&amp;', '&') as text,
    'https://x.com/i/web/status/' || id as permalink,
    like_count as likes,
    reply_count as comments,
    cast(list_sum([retweet_count, quote_count]) as bigint) as shares,
    impression_count as views,
    collection_id,
    observed_at
from worded
