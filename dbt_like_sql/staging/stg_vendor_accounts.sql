-- stg_vendor_accounts: what a vendor's files say about accounts, each of their follower counts.
--
-- grain   one row per observation: (platform, collection_id, account_id, observed_at)
-- month   all months; readers filter
-- units   totals as of observed_at; null where the file has none
-- caveat  observations of unfinished collections are here too

select
    platform,
    account_id,
    platform_account_id,
    month,
    collection_id,
    observed_at,
    display_name as name,
    followers,
    null::bigint as posts_total,
    null::bigint as views_total
from raw.vendor_accounts
