-- stg_instagram_accounts: what Instagram said about its accounts, every time it was asked.
--
-- grain   one row per observation: (collection_id, account_id, observed_at)
-- month   all months; readers filter
-- units   totals as of observed_at, over the account's life; null where Instagram did not report one
-- caveat  observations of unfinished collections are here too: a follower count is true whenever it was read.
--         Posts_total is all media now on the account, of any age

select
    'instagram' as platform,
    account_id,
    platform_account_id,
    month,
    collection_id,
    observed_at,
    name,
    followers_count as followers,
    media_count as posts_total,
    null::bigint as views_total
from raw.instagram_accounts
