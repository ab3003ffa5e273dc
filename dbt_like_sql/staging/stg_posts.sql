-- stg_posts: the posts of all platforms, one below the other, with what can be read off any of them alike.
--
-- grain   one row per (platform, month, post_id)
-- month   all months; readers filter
-- units   counts as of observed_at; null where the platform did not report one
-- caveat  a view, and a like, is what the platform says it is: compare within a platform only. `interactions` adds the
--         reported ones of likes, comments and shares. Hashtags are folded: full-width letters and digits to plain ones,
--         composed (NFC), lower case; one without any letter (#1) is none, nor is the # of a URL or an entity (&#39;).
--         A tag breaks off at an emoji

with posts as (
    select
        platform,
        account_id,
        platform_account_id,
        month,
        post_id,
        published_at,
        kind,
        is_video,
        is_repost,
        text,
        permalink,
        likes,
        comments,
        shares,
        views,
        collection_id,
        observed_at
    from staging.stg_facebook_posts
    union all
    select
        platform,
        account_id,
        platform_account_id,
        month,
        post_id,
        published_at,
        kind,
        is_video,
        is_repost,
        text,
        permalink,
        likes,
        comments,
        shares,
        views,
        collection_id,
        observed_at
    from staging.stg_x_posts
    union all
    select
        platform,
        account_id,
        platform_account_id,
        month,
        post_id,
        published_at,
        kind,
        is_video,
        is_repost,
        text,
        permalink,
        likes,
        comments,
        shares,
        views,
        collection_id,
        observed_at
    from staging.stg_instagram_posts
    union all
    select
        platform,
        account_id,
        platform_account_id,
        month,
        post_id,
        published_at,
        kind,
        is_video,
        is_repost,
        text,
        permalink,
        likes,
        comments,
        shares,
        views,
        collection_id,
        observed_at
    from staging.stg_youtube_posts
    union all
    select
        platform,
        account_id,
        platform_account_id,
        month,
        post_id,
        published_at,
        kind,
        is_video,
        is_repost,
        text,
        permalink,
        likes,
        comments,
        shares,
        views,
        collection_id,
        observed_at
    from staging.stg_tiktok_posts
    union all
    select
        platform,
        account_id,
        platform_account_id,
        month,
        post_id,
        published_at,
        kind,
        is_video,
        is_repost,
        text,
        permalink,
        likes,
        comments,
        shares,
        views,
        collection_id,
        observed_at
    from staging.stg_vendor_posts
),

folded as (
    select
        platform,
        account_id,
        platform_account_id,
        month,
        post_id,
        published_at,
        kind,
        is_video,
        is_repost,
        text,
        permalink,
        likes,
        comments,
        shares,
        views,
        collection_id,
        observed_at,
        lower(nfc_normalize(translate(
            text,
            '＃＿０１２３４５６７８９ＡＢＣＤＥＦＧＨＩＪＫＬＭＮＯＰＱＲＳＴＵＶＷＸＹＺａｂｃｄｅｆｇｈｉｊｋｌｍｎｏｐｑｒｓｔｕｖｗｘｙｚ',
            '#_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
        ))) as folded_text
    from posts
)

select
    platform,
    account_id,
    platform_account_id,
    month,
    post_id,
    published_at,
    kind,
    is_video,
    is_repost,
    text,
    permalink,
    likes,
    comments,
    shares,
    views,
    cast(list_sum([likes, comments, shares]) as bigint) as interactions,
    -- tags may follow each other without a space (#旅行#美食): find the runs first, then the tags in them
    list_sort(list_distinct(regexp_extract_all(
        array_to_string(
            regexp_extract_all(folded_text, '(?:^|[^\p{L}\p{M}\p{N}_&/])((?:#[\p{L}\p{M}\p{N}_]+)+)', 1),
            ''
        ),
        '#([\p{M}\p{N}_]*\p{L}[\p{L}\p{M}\p{N}_]*)',
        1
    ))) as hashtags,
    collection_id,
    observed_at
from folded
