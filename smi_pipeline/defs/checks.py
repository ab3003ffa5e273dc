"""Asset checks: invariants of the stored tables, as one query each that finds the offenders among a run's months.

What must hold before a month is committed is a gate in the models' yml, and shows as checks of the model's own asset
(models.py). These look again at what is stored, and at things a gate on one table cannot see. A failing blocking check
stops what comes after it in the run.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import dagster as dg
import duckdb
import polars as pl

from smi_pipeline.defs.partitions import months_of_run
from smi_pipeline.defs.preview import shown_table
from smi_pipeline.lake.connection import Lake
from smi_pipeline.lake.frames import read_frame
from smi_pipeline.months import Month
from smi_pipeline.registry.models import PLATFORMS

SHOWN = 10
PAST = "nothing_asked_for_too_late"
# Beyond these somebody looks; nothing is left out for it.
COVERAGE_LOSS = 0.1
FOLLOWERS_JUMP = 3
INTERACTIONS_JUMP = 50
SMALL = 1000


@dataclass(frozen=True)
class Invariant:
    """`offenders` returns the rows that break it; none means it holds. `serious` stops the run."""

    asset: tuple[str, str]
    name: str
    description: str
    offenders: str
    serious: bool = True


INVARIANTS = [
    *(
        Invariant(
            ("raw", platform),
            "accounts_answered",
            "Every account of the newest finished collections answered; the others are a gap of the report.",
            "select month, account_id, handle, outcome, detail from staging.stg_account_outcomes"
            f" where platform = '{platform}' and outcome not in ('answered', 'truncated', 'renamed')"
            " order by month, account_id",
            serious=False,
        )
        for platform in PLATFORMS
    ),
    *(
        Invariant(
            ("raw", platform),
            "coverage_holds",
            f"No more than {COVERAGE_LOSS:.0%} of the accounts that answered a month ago are silent now.",
            "select month, share, share_before from ("
            "select month, share, lag(share) over (order by month) as share_before,"
            " lag(month) over (order by month) as month_before from ("
            "select month, avg((outcome in ('answered', 'truncated', 'renamed'))::int) as share"
            f" from staging.stg_account_outcomes where platform = '{platform}' group by month))"
            " where month_before = month - interval 1 month"
            f" and share < share_before - {COVERAGE_LOSS}",
            serious=False,
        )
        for platform in PLATFORMS
    ),
    Invariant(
        ("metrics", "account_month"),
        PAST,
        "No indicator of a month is wanting because it was asked for too late: no platform tells what a past day's"
        " followers were, so growth needs figures taken near both borders of the month, and followers one by its end.",
        "select month, platform, unnest(list_filter(["
        " if(count(follower_growth) = 0, 'follower_growth', null), if(count(followers) = 0, 'followers', null)],"
        " name -> name is not null)) as cannot_be_had, count(*) as accounts"
        " from metrics.account_month group by month, platform order by month, platform",
        serious=False,
    ),
    Invariant(
        ("metrics", "account_month"),
        "no_account_jumps",
        f"No account's followers changed by more than a factor of {FOLLOWERS_JUMP} within a month, and no account's"
        f" interactions by more than a factor of {INTERACTIONS_JUMP}; small accounts ({SMALL} and fewer) may.",
        "select now.month, now.platform, now.account_id, before.followers as followers_before, now.followers,"
        " before.interactions as interactions_before, now.interactions"
        " from metrics.account_month as now join metrics.account_month as before"
        " on before.platform = now.platform and before.account_id = now.account_id"
        " and before.month = now.month - interval 1 month"
        f" where greatest(before.followers, now.followers) > {SMALL}"
        f" and greatest(before.followers, now.followers) > {FOLLOWERS_JUMP} * least(before.followers, now.followers)"
        f" or greatest(before.interactions, now.interactions) > {SMALL} and greatest(before.interactions,"
        f" now.interactions) > {INTERACTIONS_JUMP} * least(before.interactions, now.interactions)"
        " order by now.month, now.platform, now.account_id",
        serious=False,
    ),
    Invariant(
        ("index", "indicator_audit"),
        "few_cities_at_the_top_goalpost",
        "No indicator has more cities at 100 points than the method allows: its goalposts still tell cities apart.",
        "select month, platform, indicator, cities, clipped_low, clipped_high from index.indicator_audit"
        " where list_contains(flags, 'clipped') order by month, platform, indicator",
        serious=False,
    ),
    Invariant(
        ("metrics", "account_month"),
        "every_account_asked_has_a_row",
        "One row for each account of a month's newest finished collections: silence is a row, not a gap.",
        "select month, platform, account_id from metrics.account_month"
        " anti join staging.stg_account_outcomes using (month, platform, account_id, collection_id)"
        " where month in (select month from staging.stg_account_outcomes)",
    ),
    Invariant(
        ("metrics", "account_month"),
        "counts_and_rates_agree",
        "No count is negative, and a rate times its denominator gives its sum back.",
        "select month, platform, account_id, posts, videos, interactions, engagement_rate, views, view_rate"
        " from metrics.account_month"
        " where least(posts, videos, reposts, likes, comments, shares, interactions, views, followers) < 0"
        " or abs(engagement_rate * if(platform in ('youtube', 'tiktok'), videos, posts) - interactions) > 1e-6"
        " * greatest(interactions, 1) or abs(view_rate * videos - views) > 1e-6 * greatest(views, 1)",
    ),
    Invariant(
        ("index", "platform_weight"),
        "weights_sum_to_one",
        "The weights of a month's eligible platforms sum to one, and the others have none.",
        "select month, sum(weight) as total from index.platform_weight group by month"
        " having bool_or(eligible) and abs(total - 1) > 1e-9 or bool_or(not eligible and weight <> 0)",
    ),
    Invariant(
        ("index", "composite"),
        "contributions_add_up",
        "The contributions of a city sum to its score, to a billionth.",
        "select c.month, c.city_id, c.score, sum(k.contribution) as parts from index.composite as c"
        " join index.contribution as k using (month, city_id) group by all"
        " having abs(c.score - parts) > 1e-9",
    ),
    Invariant(
        ("index", "composite"),
        "ranks_follow_scores",
        "A rank is one more than the number of ranked cities with a larger score, rounded to six decimals.",
        "select month, city_id, score, rank, rank() over (partition by month order by round(score, 6) desc) as expected"
        " from index.composite where rank is not null qualify rank <> expected",
    ),
    Invariant(
        ("index", "composite"),
        "final_exactly_where_experts_are_released",
        "A month is final if its expert scores are released, and provisional, without any of them, if not.",
        "select c.month, c.city_id, c.status, c.qualitative, a.released from index.composite as c"
        " join index.expert_agreement as a using (month)"
        " where (c.status = 'final') <> a.released or (not a.released and c.qualitative is not null)",
    ),
    Invariant(
        ("index", "expert_agreement"),
        "raters_agree",
        "Where experts have rated a month, enough of its cities have enough raters and these agree.",
        "select month, vintage, raters, share_with_enough, alpha, reason from index.expert_agreement"
        " where list_has_any(flags, ['few_rated', 'low_alpha', 'alpha_undefined'])",
        serious=False,
    ),
    Invariant(
        ("index", "expert_city"),
        "no_city_is_to_be_rated_again",
        "Every city of a rated month has enough raters, and they are not too far apart.",
        "select month, city_id, raters, mean, sd, flags from index.expert_city"
        " where list_contains(flags, 'rerate') order by month, city_id",
        serious=False,
    ),
]


def lost_to_the_past(lake: Lake, months: Sequence[Month]) -> list[str]:
    """Which indicators cannot be had any more for which of the derived months, and where."""
    [invariant] = (one for one in INVARIANTS if one.name == PAST)
    found: dict[tuple[date, str], list[str]] = {}
    for row in _offenders(lake, invariant, months).iter_rows(named=True):
        found.setdefault((row["month"], row["cannot_be_had"]), []).append(row["platform"])
    return [f"{month:%Y-%m}: {name} of {', '.join(where)}" for (month, name), where in found.items()]


def _offenders(lake: Lake, invariant: Invariant, months: Sequence[Month]) -> pl.DataFrame:
    sql, bound = invariant.offenders, {}
    if months:
        sql = f"select * from ({sql}) where month between $first and $last"
        bound = {"first": months[0].first, "last": months[-1].first}
    with lake.read() as cursor:
        return read_frame(cursor, sql, bound)


def check(lake: Lake, invariant: Invariant, months: Sequence[Month] = ()) -> dg.AssetCheckResult:
    """Look for offenders in the lake, in a range of months or in all. A table that is not there yet has none."""
    severity = dg.AssetCheckSeverity.ERROR if invariant.serious else dg.AssetCheckSeverity.WARN
    try:
        found = _offenders(lake, invariant, months)
    except duckdb.CatalogException as error:
        return dg.AssetCheckResult(
            passed=True, severity=severity, metadata={"nothing to look at yet": str(error).splitlines()[0]}
        )
    shown = {"first offenders": shown_table(found.head(SHOWN))} if found.height else {}
    return dg.AssetCheckResult(
        passed=not found.height, severity=severity, metadata={"offenders": found.height, **shown}
    )


def _definition(invariant: Invariant) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=list(invariant.asset),
        name=invariant.name,
        description=invariant.description,
        blocking=invariant.serious,
    )
    def run(context: dg.AssetCheckExecutionContext, lake: dg.ResourceParam[Lake]) -> dg.AssetCheckResult:
        return check(lake, invariant, months_of_run(context.run.tags))

    return run


@dg.definitions
def checks() -> dg.Definitions:
    """One asset check an invariant."""
    return dg.Definitions(asset_checks=[_definition(invariant) for invariant in INVARIANTS])
