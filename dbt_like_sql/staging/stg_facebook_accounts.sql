-- stg_facebook_accounts: what Facebook said about its Pages, every time it was asked.
--
-- grain   one row per observation: (collection_id, account_id, observed_at)
-- month   all months; readers filter
-- units   totals as of observed_at, over the account's life; null where Facebook did not report one
-- caveat  observations of unfinished collections are here too: a follower count is true whenever it was read.
--         Followers are people who follow the Page, not those who like it (fan_count)

select
    'facebook' as platform,
    account_id,
    platform_account_id,
    month,
    collection_id,
    observed_at,
    name,
    followers_count as followers,
    null::bigint as posts_total,
    null::bigint as views_total
from raw.facebook_accounts
