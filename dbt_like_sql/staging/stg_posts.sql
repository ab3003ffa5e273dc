-- stg_posts: the posts of all platforms, one below the other, with what can be read off any of them alike.
--
-- grain   one row per (platform, month, post_id); one that two months have is in that of its last observation alone
-- month   all months; readers filter
-- units   counts as of observed_at; null where the platform did not report one
-- caveat  a view, and a like, is what the platform says it is: compare within a platform only. `interactions` adds the
--         reported ones of likes, comments and shares. Hashtags are folded: full-width letters and digits to plain ones,
--         composed (NFC), lower case, without variation selectors. One without any letter (#1) is none, nor is the # of an
--         address, of an entity (&#39;) or of a keycap emoji (before U+FE0F or U+20E3). A tag breaks off at an emoji; a
--         joiner (U+200C, U+200D) and the marks that write one word in two parts (middle dots, the Tibetan tsheg, the
--         Hebrew maqaf and geresh, the Japanese wave dash) belong to it between letters or digits

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
    -- a post whose date was changed counts in one month only
    anti join staging.stg_moved_posts as moved
        on moved.post_id = posts.post_id
        and moved.collection_id = posts.collection_id
),

-- what no tag can begin in is blanked: addresses, then keycap emoji; looked for only where there is a #
tagged as (
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
        case when contains(folded_text, '#') then
            regexp_replace(
                regexp_replace(
                    regexp_replace(
                        folded_text,
                        '(?:https?://|www\.|(?:[a-z0-9-]+\.)+[a-z]{2,}/)[!-~\p{L}\p{M}\p{N}]*',
                        ' ',
                        'g'
                    ),
                    '[0-9#*]\x{FE0F}?\x{20E3}|#\x{FE0F}',
                    ' ',
                    'g'
                ),
                '[\x{FE00}-\x{FE0F}]',
                '',
                'g'
            )
            when folded_text is not null then ''
        end as tagged_text
    from folded
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
            regexp_extract_all(
                tagged_text,
                '(?:^|[^\p{L}\p{M}\p{N}_&/])((?:#[\p{L}\p{M}\p{N}_]+(?:'
                || '[·‧・･〜～゠\x{5BE}\x{5F3}\x{5F4}\x{F0B}\x{F0C}\x{200C}\x{200D}]+'
                || '[\p{L}\p{M}\p{N}_]+)*)+)',
                1
            ),
            ''
        ),
        '#((?:[\p{M}\p{N}_]+'
        || '[·‧・･〜～゠\x{5BE}\x{5F3}\x{5F4}\x{F0B}\x{F0C}\x{200C}\x{200D}]*'
        || ')*\p{L}(?:'
        || '[·‧・･〜～゠\x{5BE}\x{5F3}\x{5F4}\x{F0B}\x{F0C}\x{200C}\x{200D}]*'
        || '[\p{L}\p{M}\p{N}_])*)',
        1
    ))) as hashtags,
    collection_id,
    observed_at
from tagged
