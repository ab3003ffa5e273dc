-- rankings: every ranking of the month in one table, the composite and the platforms' own.
--
-- grain   one row per (month, index_name, city_id); index_name is `composite` or a platform
-- month   getvariable('month'), the first day
-- units   score 0 to 100; rank 1 is the best, ties share a rank; rank_change is positive for a climb
-- caveat  a null rank is a city that is shown and not ranked: `flags` says why. Ranks of different indices do not compare.
--         Changes come from the index as they are: it compares like with like, which two stored ranks need not be

with ranked as (
    select
        month,
        'composite' as index_name,
        city_id,
        rank,
        previous_rank,
        rank_change,
        score,
        status,
        flags
    from index.composite
    where month = getvariable('month')
    union all
    select
        platforms.month,
        platforms.platform as index_name,
        platforms.city_id,
        platforms.rank,
        platforms.previous_rank,
        platforms.rank_change,
        platforms.score,
        collections.cut as status,
        platforms.flags
    from index.platform_index as platforms
    left join staging.stg_collections as collections
        on collections.platform = platforms.platform
        and collections.month = platforms.month
    where platforms.month = getvariable('month')
)

select
    ranked.month,
    ranked.index_name,
    ranked.city_id,
    cities.name_zh,
    cities.name_en,
    cities.province,
    ranked.rank,
    ranked.previous_rank,
    ranked.rank_change,
    ranked.score,
    ranked.status,
    ranked.flags
from ranked
left join index.city as cities
    on cities.month = ranked.month
    and cities.city_id = ranked.city_id
