-- stg_tiktok_accounts: what TikTok said about its accounts, every time it was asked.
--
-- grain   one row per observation: (collection_id, account_id, observed_at)
-- month   all months; readers filter
-- units   totals as of observed_at, over the account's life; null where TikTok did not report one
-- caveat  observations of unfinished collections are here too: a follower count is true whenever it was read.
--         The answer has no id: platform_account_id is the handle

select
    'tiktok' as platform,
    account_id,
    platform_account_id,
    month,
    collection_id,
    observed_at,
    display_name as name,
    follower_count as followers,
    video_count as posts_total,
    null::bigint as views_total
from raw.tiktok_accounts
