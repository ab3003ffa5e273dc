-- int_account_month_posts: what each account posted in a month and what came back, reposts apart.
--
-- grain   one row per (platform, account_id, month, is_repost) with at least one post; a silent account has no row
-- month   getvariable('month'), the first day; raw and staging carry the month, borders are never computed here
-- units   counts; null where no post of the row reported the count
-- caveat  `views` adds up the videos only: impressions of a text are no views; compare within a platform only. Of an
--         account whose posts were removed the sums are those they had. A post is complete where it has every one of
--         likes, comments and shares that any post of its platform has in the month, reposts again apart

with posts as (
    select
        platform,
        account_id,
        month,
        is_repost,
        is_video,
        likes,
        comments,
        shares,
        views
    from staging.stg_posts
    where month = getvariable('month')
),

forgotten as (
    select
        sums.platform,
        sums.account_id,
        sums.month,
        sums.is_repost,
        sums.posts,
        sums.videos,
        sums.likes,
        sums.comments,
        sums.shares,
        sums.views,
        -- sums kept before 0.1.2 do not say which posts were complete
        coalesce(sums.complete_posts, sums.posts) as complete_posts,
        coalesce(sums.complete_videos, sums.videos) as complete_videos,
        if(sums.complete_posts is null, sums.likes, sums.complete_likes) as complete_likes,
        if(sums.complete_posts is null, sums.comments, sums.complete_comments) as complete_comments,
        if(sums.complete_posts is null, sums.shares, sums.complete_shares) as complete_shares,
        coalesce(sums.viewed_videos, sums.videos) as viewed_videos,
        sums.likes_above_views
    from staging.stg_forgotten_sums as sums
    where sums.month = getvariable('month')
),

-- what a platform reports in the month, whoever's posts they are; views of videos alone
reported as (
    select
        platform,
        is_repost,
        bool_or(likes is not null) as likes,
        bool_or(comments is not null) as comments,
        bool_or(shares is not null) as shares,
        bool_or(views is not null) as views
    from (
        select
            platform,
            is_repost,
            likes,
            comments,
            shares,
            if(is_video, views, null) as views
        from posts
        union all
        select
            platform,
            is_repost,
            likes,
            comments,
            shares,
            views
        from forgotten
    )
    group by platform, is_repost
),

judged as (
    select
        posts.platform,
        posts.account_id,
        posts.month,
        posts.is_repost,
        posts.is_video,
        posts.likes,
        posts.comments,
        posts.shares,
        posts.views,
        (posts.likes is not null or not reported.likes)
        and (posts.comments is not null or not reported.comments)
        and (posts.shares is not null or not reported.shares) as is_complete,
        posts.is_video and (posts.views is not null or not reported.views) as is_viewed
    from posts
    join reported
        on reported.platform = posts.platform
        and reported.is_repost = posts.is_repost
)

select
    platform,
    account_id,
    month,
    is_repost,
    count(account_id) as posts,
    count(account_id) filter (where is_video) as videos,
    cast(sum(likes) as bigint) as likes,
    cast(sum(comments) as bigint) as comments,
    cast(sum(shares) as bigint) as shares,
    cast(sum(views) filter (where is_video) as bigint) as views,
    count(account_id) filter (where is_complete) as complete_posts,
    count(account_id) filter (where is_complete and is_video) as complete_videos,
    cast(sum(likes) filter (where is_complete) as bigint) as complete_likes,
    cast(sum(comments) filter (where is_complete) as bigint) as complete_comments,
    cast(sum(shares) filter (where is_complete) as bigint) as complete_shares,
    count(account_id) filter (where is_viewed) as viewed_videos,
    count(account_id) filter (where likes > views) as likes_above_views
from judged
group by platform, account_id, month, is_repost
union all
select
    platform,
    account_id,
    month,
    is_repost,
    posts,
    videos,
    likes,
    comments,
    shares,
    views,
    complete_posts,
    complete_videos,
    complete_likes,
    complete_comments,
    complete_shares,
    viewed_videos,
    likes_above_views
from forgotten
