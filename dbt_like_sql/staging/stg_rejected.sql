-- stg_rejected: values and posts that were not taken as the platform sent them.
--
-- grain   one row per refused value of the month's newest finished collection; one asked for twice is here once
-- month   all months; readers filter
-- units   the value as the platform sent it, as text
-- caveat  reason `bad count`: the post is counted and this one count is null; `malformed`: the post itself is not there.
--         Drift is an account's that failed: in a collection that finished, it has been read again since

select
    rejected.platform,
    rejected.month,
    rejected.account_id,
    rejected.platform_post_id as post_id,
    rejected.field,
    rejected.value,
    rejected.reason,
    rejected.collection_id,
    rejected.observed_at
from raw.rejected as rejected
join staging.stg_collections as collections
    on collections.platform = rejected.platform
    and collections.month = rejected.month
    and collections.collection_id = rejected.collection_id
-- what was read under a handle that was corrected since is another account's
anti join staging.stg_superseded_readings as superseded
    on superseded.month = rejected.month
    and superseded.collection_id = rejected.collection_id
    and superseded.account_id = rejected.account_id
    and superseded.read_at >= rejected.observed_at
where rejected.reason <> 'drift'
qualify row_number() over (
    partition by
        rejected.month,
        rejected.platform,
        rejected.account_id,
        rejected.platform_post_id,
        rejected.field,
        rejected.reason,
        case when rejected.platform_post_id is null then rejected.payload::varchar end
    order by rejected.observed_at desc, rejected.value
) = 1
