-- stg_x_accounts: what X said about its accounts, every time it was asked.
--
-- grain   one row per observation: (collection_id, account_id, observed_at)
-- month   all months; readers filter
-- units   totals as of observed_at, over the account's life; null where X did not report one
-- caveat  observations of unfinished collections are here too: a follower count is true whenever it was read.
--         The count of posts includes replies and retweets. X sends & < > as entities: the name here has the characters

select
    'x' as platform,
    account_id,
    platform_account_id,
    month,
    collection_id,
    observed_at,
    replace(replace(replace(name, '&lt;', '<'), '&gt;', '>'), '&amp;', '&') as name,
    followers_count as followers,
    tweet_count as posts_total,
    null::bigint as views_total
from raw.x_accounts
