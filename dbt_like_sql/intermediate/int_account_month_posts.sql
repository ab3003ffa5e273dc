-- int_account_month_posts: what each account posted in a month and what came back, reposts apart.
--
-- grain   one row per (platform, account_id, month, is_repost) with at least one post; a silent account has no row
-- month   getvariable('month'), the first day; raw and staging carry the month, borders are never computed here
-- units   counts; null where no post of the row reported the count
-- caveat  `views` adds up the videos only: impressions of a text are no views; compare within a platform only. Of an
--         account whose posts were removed the sums are those they had

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
    cast(sum(views) filter (where is_video) as bigint) as views
from staging.stg_posts
where month = getvariable('month')
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
    views
from staging.stg_forgotten_sums
where month = getvariable('month')
