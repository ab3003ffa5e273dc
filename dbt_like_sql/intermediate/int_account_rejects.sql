-- int_account_rejects: how much of what an account's answers held could not be taken as sent.
--
-- grain   one row per (platform, account_id, month): every account asked
-- month   getvariable('month'), the first day
-- units   bad_counts in values (a count of a post, or of the account itself), malformed in posts; 0 where none was
--         refused, and these are counts of our own, so never null
-- caveat  a bad count leaves its post in and is null there; a malformed post is not counted anywhere else

select
    outcomes.platform,
    outcomes.account_id,
    outcomes.month,
    count(*) filter (where rejected.reason = 'bad count') as bad_counts,
    count(*) filter (where rejected.reason = 'malformed') as malformed
from staging.stg_account_outcomes as outcomes
left join staging.stg_rejected as rejected
    on rejected.platform = outcomes.platform
    and rejected.account_id = outcomes.account_id
    and rejected.month = outcomes.month
where outcomes.month = getvariable('month')
group by outcomes.platform, outcomes.account_id, outcomes.month
