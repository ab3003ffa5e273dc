-- int_deleted_posts: posts that an earlier collection of the month has seen and the newest one has not: tombstones.
--
-- grain   one row per (platform, month, post_id) that is gone
-- month   getvariable('month'), the first day
-- units   instants in UTC: last_seen_at when its counts were last read, missed_at when its account was first read to the
--         end without it; it was deleted or hidden between the two
-- caveat  only where the account was read to its end both times: a post of an account that did not answer, or whose
--         history was cut off, is not gone but unseen. One that comes back is no longer here, nor is one
--         that is dated in another month now. Posts of another account, read under a wrong handle, are not gone

with reads as (
    select
        readings.platform,
        readings.account_id,
        readings.collection_id,
        readings.platform_account_id,
        readings.number,
        readings.observed_at as read_at
    from staging.stg_readings as readings
    where readings.month = getvariable('month')
        and readings.outcome in ('answered', 'renamed')
),

seen as (
    select
        sightings.month,
        sightings.platform,
        sightings.account_id,
        sightings.platform_account_id,
        sightings.post_id,
        max(readings.number) as last_number,
        arg_max(readings.collection_id, readings.number) as last_collection_id,
        max(sightings.observed_at) as last_seen_at
    from staging.stg_sightings as sightings
    join staging.stg_readings as readings
        on readings.platform = sightings.platform
        and readings.month = sightings.month
        and readings.collection_id = sightings.collection_id
        and readings.account_id = sightings.account_id
    anti join staging.stg_moved_posts as moved
        on moved.platform = sightings.platform
        and moved.month = sightings.month
        and moved.post_id = sightings.post_id
    where sightings.month = getvariable('month')
    group by
        sightings.month,
        sightings.platform,
        sightings.account_id,
        sightings.platform_account_id,
        sightings.post_id
)

select
    seen.month,
    seen.platform,
    seen.account_id,
    seen.post_id,
    seen.last_seen_at,
    seen.last_collection_id,
    min(reads.read_at) as missed_at,
    arg_min(reads.collection_id, reads.number) as missed_collection_id
from seen
join reads
    on reads.platform = seen.platform
    and reads.account_id = seen.account_id
    and coalesce(reads.platform_account_id = seen.platform_account_id, true)
    and reads.number > seen.last_number
group by
    seen.month,
    seen.platform,
    seen.account_id,
    seen.post_id,
    seen.last_seen_at,
    seen.last_collection_id
