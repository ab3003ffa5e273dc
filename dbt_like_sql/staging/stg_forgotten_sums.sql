-- stg_forgotten_sums: what is left of posts that were removed with their account: their sums.
--
-- grain   one row per (platform, account_id, month, is_repost) of an account forgotten since the month's newest finished
--         collection; none where nobody was forgotten
-- month   all months; readers filter
-- units   counts, as int_account_month_posts had them when the posts went; null where no post reported the count, and
--         complete_*, viewed_videos and likes_above_views where a version before 0.1.2 kept the sums
-- caveat  a later collection has posts of its own, or none: then the sums of an earlier one are no longer here

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
    sums.complete_posts,
    sums.complete_videos,
    sums.complete_likes,
    sums.complete_comments,
    sums.complete_shares,
    sums.viewed_videos,
    sums.likes_above_views,
    sums.collection_id
from raw.forgotten_sums as sums
join staging.stg_collections as collections
    on collections.platform = sums.platform
    and collections.month = sums.month
    and collections.collection_id = sums.collection_id
