from datetime import date

import dagster as dg
import polars as pl
import pytest

from smi_pipeline.definitions import defs
from smi_pipeline.defs.checks import INVARIANTS, check, lost_to_the_past
from smi_pipeline.defs.models import model_assets
from smi_pipeline.defs.preview import shown_table
from smi_pipeline.lake.derived import replace_month
from smi_pipeline.months import Month
from smi_pipeline.registry.models import PLATFORMS
from smi_pipeline.sql.graph import build_graph
from smi_pipeline.sql.project import load_project
from smi_pipeline.sql.run import build_views

MAY = date(2025, 5, 1)


def invariant(name):
    [found] = [one for one in INVARIANTS if one.name == name]
    return found


def offenders(result):
    """Every cell of the offenders shown."""
    return [cell for record in result.metadata["first offenders"].records for cell in record.data.values()]


def store(lake, table, **columns):
    replace_month(lake, table, MAY, pl.DataFrame({"month": [MAY] * len(next(iter(columns.values()))), **columns}))


def test_weights_that_do_not_sum_to_one_are_found(lake):
    store(lake, "index.platform_weight", platform=["x", "tiktok"], weight=[1.0, 0.0], eligible=[True, False])
    assert check(lake, invariant("weights_sum_to_one")).passed
    store(lake, "index.platform_weight", platform=["x", "tiktok"], weight=[0.9, 0.1], eligible=[True, False])
    assert not check(lake, invariant("weights_sum_to_one")).passed


def test_contributions_that_miss_the_score_are_found_with_their_city(lake):
    store(lake, "index.contribution", city_id=["a", "a"], contribution=[30.0, 12.5])
    store(lake, "index.composite", city_id=["a"], score=[42.5], rank=[1])
    assert check(lake, invariant("contributions_add_up")).passed
    store(lake, "index.composite", city_id=["a"], score=[42.5 + 2e-9], rank=[1])
    result = check(lake, invariant("contributions_add_up"))
    assert (result.passed, result.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert "a" in offenders(result)


@pytest.mark.parametrize(("ranks", "holds"), [([1, 2, 2, 4, None], True), ([1, 2, 3, 4, None], False)])
def test_ranks_that_break_a_tie_are_found(lake, ranks, holds):
    store(lake, "index.composite", city_id=list("abcde"), score=[9.0, 5.0, 5.0000000001, 1.0, 7.0], rank=ranks)
    assert check(lake, invariant("ranks_follow_scores")).passed is holds


@pytest.mark.parametrize(
    ("status", "qualitative", "released", "holds"),
    [("final", 50.0, True, True), ("provisional", None, False, True), ("final", 50.0, False, False),
     ("provisional", None, True, False), ("provisional", 50.0, False, False)],
)  # fmt: skip
def test_a_judged_score_that_was_not_released_is_found(lake, status, qualitative, released, holds):
    scores = pl.Series([qualitative], dtype=pl.Float64)
    store(lake, "index.composite", city_id=["a"], score=[50.0], rank=[1], status=[status], qualitative=scores)
    store(lake, "index.expert_agreement", released=[released])
    result = check(lake, invariant("final_exactly_where_experts_are_released"))
    assert (result.passed, result.severity) == (holds, dg.AssetCheckSeverity.ERROR)


@pytest.mark.parametrize(
    ("flags", "holds"),
    [([], True), (["moderate_alpha"], True), (["no_ratings", "provisional_cut"], True), (["low_alpha"], False), (["few_rated"], False)],
)  # fmt: skip
def test_raters_who_do_not_suffice_are_a_warning_and_no_stop(lake, flags, holds):
    row = {"vintage": [1], "raters": [3], "share_with_enough": [0.9], "alpha": [0.5], "reason": ["why"]}
    store(lake, "index.expert_agreement", **row, flags=pl.Series([flags], dtype=pl.List(pl.String)))
    result = check(lake, invariant("raters_agree"))
    assert (result.passed, result.severity) == (holds, dg.AssetCheckSeverity.WARN)


def test_cities_to_be_rated_again_are_listed(lake):
    row = {"raters": [2, 3], "mean": [5.0, 5.0], "sd": [1.0, 1.0]}
    store(lake, "index.expert_city", city_id=["few", "enough"], **row, flags=[["few_raters", "rerate"], ["carried"]])
    result = check(lake, invariant("no_city_is_to_be_rated_again"))
    assert (result.passed, result.severity) == (False, dg.AssetCheckSeverity.WARN)
    shown = offenders(result)
    assert "few" in shown
    assert "enough" not in shown


def test_a_rate_that_does_not_give_its_sum_back_is_found(lake):
    row = {
        "platform": ["youtube"], "account_id": ["a"], "posts": [4], "videos": [2], "reposts": [0], "likes": [10],
        "comments": [None], "shares": [None], "interactions": [10], "engagement_rate": [5.0], "views": [100],
        "view_rate": [50.0], "followers": [7],
    }  # fmt: skip
    counts = pl.DataFrame(row, schema_overrides={"comments": pl.Int64, "shares": pl.Int64}).to_dict(as_series=True)
    store(lake, "metrics.account_month", **counts)
    assert check(lake, invariant("counts_and_rates_agree")).passed
    store(lake, "metrics.account_month", **counts | {"engagement_rate": [2.5]})
    assert not check(lake, invariant("counts_and_rates_agree")).passed


def test_an_account_that_did_not_answer_is_a_warning_and_no_stop(lake):
    build_views(lake, build_graph(load_project()))
    one = next(one for one in INVARIANTS if one.asset == ("raw", "x"))
    assert check(lake, one).passed
    with lake.write("a collection") as transaction:
        transaction.cursor.execute(
            "insert into raw.collection_log (collection_id, platform, month, cut, status, recorded_at, finished_at, requests)"
            " values ('2025-05.x.0001', 'x', '2025-05-01', 'final', 'finished', now(), now(), 1);"
            "insert into raw.collection_account (collection_id, platform, month, account_id, handle, outcome, observed_at)"
            " values ('2025-05.x.0001', 'x', '2025-05-01', '7', 'gone', 'suspended', now())"
        )
    result = check(lake, one)
    assert (result.passed, result.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert "gone" in offenders(result)


@pytest.fixture(scope="module")
def definitions():
    return defs()


def test_every_data_test_of_the_yml_is_in_a_check_of_its_models_asset(definitions):
    specs = {}
    for spec in definitions.resolve_asset_graph().asset_check_keys:
        specs.setdefault(spec.asset_key.to_user_string(), set()).add(spec.name)
    for model in load_project():
        kinds = {test.kind.removeprefix("dbt_utils.") for test in model.tests}
        assert kinds <= specs[f"{model.layer}/{model.name}"]


def test_a_gate_that_fails_shows_as_a_failed_check_beside_those_that_hold(lake):
    """The step fails in the gate's own words; which kinds of test hold is in the asset's checks."""
    with lake.write("a post without a time") as transaction:
        transaction.cursor.execute(
            "insert into raw.collection_log (collection_id, platform, month, cut, status, recorded_at, finished_at, requests)"
            " values ('2025-05.x.0001', 'x', '2025-05-01', 'final', 'finished', now(), now(), 1);"
            "insert into raw.x_posts (collection_id, month, account_id, observed_at, id, created_at, payload)"
            " values ('2025-05.x.0001', '2025-05-01', '7', now(), '1', 'some day in May', '{}')"
        )
    [asset] = [one for one in model_assets().assets if one.key.path == ["staging", "stg_x_posts"]]
    with dg.DagsterInstance.ephemeral() as instance:
        run = dg.materialize(
            [asset], instance=instance, partition_key="2025-05", resources={"lake": lake}, raise_on_error=False
        )
        verdicts = {one.check_name: one for one in run.get_asset_check_evaluations()}
        [step] = [event for event in run.all_events if event.is_step_failure]
        holds = dg.materialize([asset], instance=instance, partition_key="2025-04", resources={"lake": lake})
    passed = {name: one.passed for name, one in verdicts.items()}
    assert passed == {"unique_combination_of_columns": True, "not_null": False, "accepted_values": True}
    told = verdicts["not_null"].metadata
    assert told["month"].value == "2025-05"
    assert told["not_null(published_at)"].value.startswith(
        "not_null(published_at): 1 offending, e.g. month=2025-05-01, post_id=1"
    )
    assert "staging.stg_x_posts 2025-05 fails its checks" in step.event_specific_data.error.message + str(
        step.event_specific_data.user_failure_data
    )
    assert [one.passed for one in holds.get_asset_check_evaluations()] == [True] * 3


def test_a_lake_without_the_table_has_nothing_to_offend(lake):
    assert check(lake, invariant("ranks_follow_scores")).passed


def test_other_peoples_text_is_plain_in_the_ui():
    """A table of the UI prints its cells as they are: no markup to escape, no address made a link, no order turned round."""
    shown = shown_table(
        pl.DataFrame({"text": ["![x](http://beacon)\n<b> \u202e|", None, "a" * 100], "n": [2**60, 0, None]})
    )
    cells = [record.data for record in shown.records]
    assert cells[0] == {"text": "![x](http://beacon) <b> |", "n": str(2**60)}
    assert cells[1] == {"text": None, "n": "0"}
    assert cells[2] == {"text": "a" * 59 + "…", "n": None}
    assert [column.name for column in shown.schema.columns] == ["text", "n"]


APRIL = date(2025, 4, 1)


def account_months(lake, before, now, *, month_before=APRIL):
    """Two months of one account: its followers and interactions."""
    for month, (followers, interactions) in ((month_before, before), (MAY, now)):
        row = {"month": [month], "platform": ["x"], "account_id": ["77"]}
        counts = {"followers": [followers], "interactions": [interactions]}
        schema = {"followers": pl.Int64, "interactions": pl.Int64}
        replace_month(lake, "metrics.account_month", month, pl.DataFrame(row | counts, schema_overrides=schema))


@pytest.mark.parametrize(
    ("before", "now", "holds"),
    [
        ((10_000, 500), (30_000, 500), True),
        ((10_000, 500), (30_001, 500), False),
        ((30_001, 500), (10_000, 500), False),
        ((10_000, 500), (10_000, 25_001), False),
        ((10_000, 500), (10_000, 25_000), True),
        ((10, 1), (900, 900), True),  # an account that begins
        ((10_000, 500), (None, None), True),  # not reported is not a jump
        ((10_000, 0), (10_000, 900), True),
        ((0, 0), (5_000, 0), False),
    ],
)
def test_an_account_whose_figures_jump_is_shown_to_somebody(lake, before, now, holds):
    account_months(lake, before, now)
    result = check(lake, invariant("no_account_jumps"))
    assert (result.passed, result.severity) == (holds, dg.AssetCheckSeverity.WARN)


def test_a_month_without_the_one_before_jumps_nowhere(lake):
    account_months(lake, (10_000, 500), (90_000, 500), month_before=date(2025, 3, 1))
    assert check(lake, invariant("no_account_jumps")).passed


def test_goalposts_that_too_many_cities_reach_are_named(lake):
    columns = {"platform": ["x", "x"], "indicator": ["posts", "followers"], "cities": [9, 9]}
    shares = {"clipped_low": [0.0, 0.0], "clipped_high": [0.0, 0.4]}
    store(lake, "index.indicator_audit", **columns, **shares, flags=[[], ["clipped"]])
    result = check(lake, invariant("few_cities_at_the_top_goalpost"))
    assert not result.passed
    assert [record.data["indicator"] for record in result.metadata["first offenders"].records] == ["followers"]


def test_what_a_month_of_the_past_has_lost_is_named_with_its_platforms(lake):
    """A month asked about a year later has posts, and no growth: nobody tells what followers were then."""
    rows = {
        "platform": ["x", "x", "youtube", "tiktok"],
        "account_id": ["1", "2", "3", "4"],
        "followers": pl.Series([10, 20, None, 5], dtype=pl.Int64),
        "follower_growth": pl.Series([None, None, None, 1], dtype=pl.Int64),
    }
    replace_month(lake, "metrics.account_month", MAY, pl.DataFrame({"month": [MAY] * 4, **rows}))
    assert lost_to_the_past(lake, [Month(MAY)]) == [
        "2025-05: follower_growth of x, youtube",
        "2025-05: followers of youtube",
    ]
    assert lost_to_the_past(lake, [Month(APRIL)]) == []
    assert not check(lake, invariant("nothing_asked_for_too_late")).passed


def test_whether_a_month_is_late_is_asked_by_its_sensor_about_every_platform_and_the_report():
    repository = defs().get_repository_def()
    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_sensor_context(instance=instance, repository_def=repository)
        [request] = repository.get_sensor_def("freshness").evaluate_tick(context).run_requests
        asked = {check.to_user_string() for check in request.asset_check_keys}
        chosen = repository.get_implicit_global_asset_job_def().get_subset(
            asset_check_selection=set(request.asset_check_keys)
        )
        made = chosen.execute_in_process(instance=instance)
    assert asked == {f"{asset}:freshness_check" for asset in (*(f"raw/{one}" for one in PLATFORMS), "report/edition")}
    evaluated = {one.asset_check_key.to_user_string(): one.passed for one in made.get_asset_check_evaluations()}
    assert evaluated == dict.fromkeys(asked, False)  # nothing is there yet
