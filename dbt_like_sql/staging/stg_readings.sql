-- stg_readings: what became of each account in every finished collection of a month, not only in the newest.
--
-- grain   one row per (platform, month, collection_id, account_id); the last outcome holds
-- month   all months; readers filter
-- units   instants in UTC; number counts the finished collections of a platform's month in the order they began, from 1
-- caveat  snapshots of a day, which have no posts, are not here

with finished as (
    select
        platform,
        month,
        collection_id,
        row_number() over (partition by platform, month order by collection_id) as number
    from raw.collection
    where status = 'finished'
        and cut <> 'snapshot'
)

select
    outcomes.platform,
    outcomes.month,
    outcomes.collection_id,
    finished.number,
    outcomes.account_id,
    outcomes.outcome,
    outcomes.platform_account_id,
    outcomes.observed_at
from raw.collection_account as outcomes
join finished
    on finished.platform = outcomes.platform
    and finished.month = outcomes.month
    and finished.collection_id = outcomes.collection_id
where outcomes.outcome not in ('failed', 'deferred')
qualify row_number() over (
    partition by outcomes.platform, outcomes.month, outcomes.collection_id, outcomes.account_id
    order by outcomes.rowid desc, outcomes.observed_at desc
) = 1
