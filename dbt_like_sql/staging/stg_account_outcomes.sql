-- stg_account_outcomes: what became of each account that was asked.
--
-- grain   one row per (platform, month, account_id) of the month's newest finished collection; the last outcome holds,
--         and an account that only failed has none: the registry does not ask for it any more, or it is asked again
-- month   all months; readers filter
-- units   instants in UTC
-- caveat  only `answered`, `truncated` and `renamed` have posts to count; for the others nothing is known, which is not zero

select
    outcomes.platform,
    outcomes.month,
    outcomes.account_id,
    outcomes.handle,
    outcomes.outcome,
    outcomes.detail,
    outcomes.platform_account_id,
    outcomes.collection_id,
    collections.cut,
    outcomes.observed_at
from raw.collection_account as outcomes
join staging.stg_collections as collections
    on collections.platform = outcomes.platform
    and collections.month = outcomes.month
    and collections.collection_id = outcomes.collection_id
where outcomes.outcome not in ('failed', 'deferred')
qualify row_number() over (
    partition by outcomes.month, outcomes.platform, outcomes.account_id
    -- in the order of the lake's commits, whatever the platform's clock said
    order by outcomes.rowid desc, outcomes.observed_at desc
) = 1
