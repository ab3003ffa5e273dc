-- stg_accounts: what the platforms said about the accounts, every time they were asked.
--
-- grain   one row per observation: (platform, collection_id, account_id, observed_at)
-- month   all months; readers filter
-- units   totals as of observed_at, over the account's life; null where the platform did not report one
-- caveat  observations of unfinished collections are here too; a follower is what the platform says it is

with observations as (
    select
        platform,
        account_id,
        platform_account_id,
        month,
        collection_id,
        observed_at,
        name,
        followers,
        posts_total,
        views_total
    from staging.stg_facebook_accounts
    union all
    select
        platform,
        account_id,
        platform_account_id,
        month,
        collection_id,
        observed_at,
        name,
        followers,
        posts_total,
        views_total
    from staging.stg_x_accounts
    union all
    select
        platform,
        account_id,
        platform_account_id,
        month,
        collection_id,
        observed_at,
        name,
        followers,
        posts_total,
        views_total
    from staging.stg_instagram_accounts
    union all
    select
        platform,
        account_id,
        platform_account_id,
        month,
        collection_id,
        observed_at,
        name,
        followers,
        posts_total,
        views_total
    from staging.stg_youtube_accounts
    union all
    select
        platform,
        account_id,
        platform_account_id,
        month,
        collection_id,
        observed_at,
        name,
        followers,
        posts_total,
        views_total
    from staging.stg_tiktok_accounts
    union all
    select
        platform,
        account_id,
        platform_account_id,
        month,
        collection_id,
        observed_at,
        name,
        followers,
        posts_total,
        views_total
    from staging.stg_vendor_accounts
)

select
    observations.platform,
    observations.account_id,
    observations.platform_account_id,
    observations.month,
    observations.collection_id,
    observations.observed_at,
    observations.name,
    observations.followers,
    observations.posts_total,
    observations.views_total
from observations
-- what was read under a handle that was corrected since is another account's
anti join staging.stg_superseded_readings as superseded
    on superseded.month = observations.month
    and superseded.collection_id = observations.collection_id
    and superseded.account_id = observations.account_id
    and superseded.platform_account_id = observations.platform_account_id
