-- stg_superseded_readings: readings of accounts that count no longer, another having taken their place.
--
-- grain   one row per (platform, month, collection_id, account_id, platform_account_id)
-- month   all months; readers filter
-- units   instants in UTC: read_at, when it was read last
-- caveat  an account is read again in its collection where its handle was corrected, and what the wrong one led to is
--         another account of the platform. Where two rows of the registry led to one account and the first was taken
--         out, the one read last has it. Rows of older lakes, without platform_account_id, have no such readings

with readings as (
    select
        platform,
        month,
        collection_id,
        account_id,
        platform_account_id,
        max(rowid) as number,
        max(observed_at) as read_at
    from raw.collection_account
    where platform_account_id is not null
    group by platform, month, collection_id, account_id, platform_account_id
)

select
    platform,
    month,
    collection_id,
    account_id,
    platform_account_id,
    read_at
from readings
qualify number < greatest(
    max(number) over (partition by platform, month, collection_id, account_id),
    max(number) over (partition by platform, month, collection_id, platform_account_id)
)
