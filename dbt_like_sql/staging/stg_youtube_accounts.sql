-- stg_youtube_accounts: what YouTube said about its channels, every time it was asked.
--
-- grain   one row per observation: (collection_id, account_id, observed_at)
-- month   all months; readers filter
-- units   totals as of observed_at, over the account's life; null where YouTube did not report one
-- caveat  observations of unfinished collections are here too: a follower count is true whenever it was read.
--         YouTube rounds subscribers down to three digits; where they are hidden it sends nothing or "0": null, never 0

select
    'youtube' as platform,
    account_id,
    platform_account_id,
    month,
    collection_id,
    observed_at,
    title as name,
    case
        when "hiddenSubscriberCount" is true then null
        else try_cast("subscriberCount" as bigint)
    end as followers,
    try_cast("videoCount" as bigint) as posts_total,
    try_cast("viewCount" as bigint) as views_total
from raw.youtube_accounts
