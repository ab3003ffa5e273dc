-- coverage: how much of what should be seen on each platform was seen.
--
-- grain   one row per (month, platform), all five platforms, collected or not
-- month   getvariable('month'), the first day
-- units   cities, accounts, posts and refused values in numbers; coverage is a share, 0 to 1
-- caveat  cities and coverage come from the registry alone; everything after them comes from the newest finished
--         collection and is null, never 0, on a platform without one. Truncated and renamed accounts are among the
--         answered; the outcomes from accounts_answered on, without those two, add up to accounts_asked. Reposts are not
--         posts here

with platforms as (
    select unnest(['facebook', 'x', 'instagram', 'youtube', 'tiktok']) as platform
),

monitored as (
    select count(distinct cities.city_id) as cities_monitored
    from index.city as cities
    where cities.month = getvariable('month')
),

registered as (
    select
        platforms.platform,
        count(distinct accounts.city_id) as cities_with_account
    from platforms
    left join index.account as accounts
        on accounts.month = getvariable('month')
        and accounts.platform = platforms.platform
        and accounts.in_index
    group by platforms.platform
),

asked as (
    select
        outcomes.platform,
        count(outcomes.account_id) as accounts_asked,
        count(*) filter (where outcomes.outcome in ('answered', 'truncated', 'renamed')) as accounts_answered,
        count(*) filter (where outcomes.outcome = 'truncated') as accounts_truncated,
        count(*) filter (where outcomes.outcome = 'missing') as accounts_missing,
        count(*) filter (where outcomes.outcome = 'suspended') as accounts_suspended,
        count(*) filter (where outcomes.outcome = 'private') as accounts_private,
        count(*) filter (where outcomes.outcome = 'renamed') as accounts_renamed,
        count(*) filter (where outcomes.outcome = 'unavailable') as accounts_unavailable,
        count(*) filter (where outcomes.outcome = 'permission') as accounts_permission
    from staging.stg_account_outcomes as outcomes
    where outcomes.month = getvariable('month')
    group by outcomes.platform
),

posted as (
    select
        collections.platform,
        case when count(posts.account_id) = 0 then 0 else cast(sum(posts.posts) as bigint) end as posts
    from staging.stg_collections as collections
    left join intermediate.int_account_month_posts as posts
        on posts.month = getvariable('month')
        and posts.platform = collections.platform
        and not posts.is_repost
    where collections.month = getvariable('month')
    group by collections.platform
),

refused as (
    select
        rejects.platform,
        cast(sum(rejects.bad_counts) as bigint) as bad_counts,
        cast(sum(rejects.malformed) as bigint) as malformed_posts
    from intermediate.int_account_rejects as rejects
    where rejects.month = getvariable('month')
    group by rejects.platform
)

select
    getvariable('month')::date as month,
    registered.platform,
    monitored.cities_monitored,
    registered.cities_with_account,
    registered.cities_with_account / nullif(monitored.cities_monitored, 0) as coverage,
    asked.accounts_asked,
    asked.accounts_answered,
    asked.accounts_truncated,
    asked.accounts_missing,
    asked.accounts_suspended,
    asked.accounts_private,
    asked.accounts_renamed,
    asked.accounts_unavailable,
    asked.accounts_permission,
    posted.posts,
    refused.bad_counts,
    refused.malformed_posts,
    collections.collection_id,
    collections.cut
from registered
cross join monitored
left join asked
    on asked.platform = registered.platform
left join posted
    on posted.platform = registered.platform
left join refused
    on refused.platform = registered.platform
left join staging.stg_collections as collections
    on collections.month = getvariable('month')
    and collections.platform = registered.platform
