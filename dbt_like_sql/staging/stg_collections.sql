-- stg_collections: which collection speaks for a platform's month.
--
-- grain   one row per (platform, month) that was collected to the end at least once
-- month   all months; readers filter
-- units   instants in UTC
-- caveat  the finished collection that began last, in the lake's own order, wins, whatever its cut; one that is running,
--         deferred or failed is not here, so a month that was only half collected is a gap and never a low count.
--         Snapshots of a day have no posts

select
    platform,
    month,
    collection_id,
    cut,
    finished_at,
    accounts_asked,
    synthetic,
    repeated_posts
from raw.collection
where status = 'finished'
    and cut <> 'snapshot'
-- collections are numbered as they begin; the platforms' clocks decide nothing
qualify row_number() over (partition by month, platform order by collection_id desc) = 1
