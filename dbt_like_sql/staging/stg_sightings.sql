-- stg_sightings: which posts were seen in which collection, whatever became of the collection.
--
-- grain   one row per (platform, collection_id, post_id) and time it was read; the same post more than once where an
--         account was asked again
-- month   all months; readers filter
-- units   instants in UTC
-- caveat  posts of unfinished collections are here too

with sightings as (
    select
        'facebook' as platform,
        posts.month,
        posts.collection_id,
        posts.account_id,
        posts.platform_account_id,
        posts.id as post_id,
        posts.observed_at
    from raw.facebook_posts as posts
    union all
    select
        'x' as platform,
        posts.month,
        posts.collection_id,
        posts.account_id,
        posts.platform_account_id,
        posts.id as post_id,
        posts.observed_at
    from raw.x_posts as posts
    union all
    select
        'instagram' as platform,
        posts.month,
        posts.collection_id,
        posts.account_id,
        posts.platform_account_id,
        posts.id as post_id,
        posts.observed_at
    from raw.instagram_posts as posts
    union all
    select
        'youtube' as platform,
        posts.month,
        posts.collection_id,
        posts.account_id,
        posts.platform_account_id,
        posts.id as post_id,
        posts.observed_at
    from raw.youtube_posts as posts
    union all
    select
        'tiktok' as platform,
        posts.month,
        posts.collection_id,
        posts.account_id,
        posts.platform_account_id,
        posts.id::varchar as post_id,
        posts.observed_at
    from raw.tiktok_posts as posts
    union all
    select
        posts.platform,
        posts.month,
        posts.collection_id,
        posts.account_id,
        posts.platform_account_id,
        posts.post_id,
        posts.observed_at
    from raw.vendor_posts as posts
)

select
    sightings.platform,
    sightings.month,
    sightings.collection_id,
    sightings.account_id,
    sightings.platform_account_id,
    sightings.post_id,
    sightings.observed_at
from sightings
-- what was read under a handle that was corrected since is another account's
anti join staging.stg_superseded_readings as superseded
    on superseded.month = sightings.month
    and superseded.collection_id = sightings.collection_id
    and superseded.account_id = sightings.account_id
    and superseded.platform_account_id = sightings.platform_account_id
