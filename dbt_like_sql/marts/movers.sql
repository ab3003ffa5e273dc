-- movers: who climbed, who fell, who is ranked for the first time.
--
-- grain   one row per (month, index_name, city_id) of a ranked city whose rank changed, or that is new
-- month   getvariable('month'), the first day
-- units   ranks; rank_change is positive for a climb, null for `new`
-- caveat  `new` is the index's own flag: the month before was computed and the city had no account in it. A month
--         without a computed month before has no movers, and a rank that cannot be compared is no move

select
    month,
    index_name,
    city_id,
    name_zh,
    name_en,
    rank,
    previous_rank,
    rank_change,
    case
        when rank_change > 0 then 'up'
        when rank_change < 0 then 'down'
        else 'new'
    end as direction
from marts.rankings
where
    month = getvariable('month')
    and rank is not null
    and (rank_change <> 0 or (rank_change is null and list_contains(flags, 'new')))
