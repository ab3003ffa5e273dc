"""The scenario's figures before they are written: one chain of followers, targets hit, posts that add up."""

from __future__ import annotations

from collections import defaultdict

import pytest

from smi_pipeline.sandbox.scenario.cases import cases
from smi_pipeline.sandbox.scenario.figures import figures, targets
from smi_pipeline.sandbox.scenario.scale import GENERATE, INTERACTIVE, UTILIZE, WEIGHTS, goalposts
from smi_pipeline.sandbox.scenario.split import split


@pytest.fixture(scope="module")
def months():
    return figures(2025)


def test_a_month_begins_with_the_followers_the_one_before_ended_with(months):
    ended = {(one.platform, one.city_id, one.month): one.followers for one in months}
    order = list(targets().months)
    checked = 0
    for one in months:
        if one.opening is not None:
            before = order[order.index(one.month) - 1]
            assert one.opening == ended[one.platform, one.city_id, before], one
            checked += 1
    assert checked > 4900


def test_posts_add_up_to_their_account_month(months):
    added = defaultdict(lambda: [0, 0, 0, 0])
    for post in split(months, 2025):
        sums = added[post.month, post.platform, post.city_id]
        sums[0] += 1
        sums[1] += post.kind in {"video", "short"}
        sums[2] += sum(count or 0 for count in post.counts[:3])
        sums[3] += post.counts.views or 0
        assert all(count is None or count >= 0 for count in post.counts)
    for one in months:
        posts, videos, interactions, views = added[one.month, one.platform, one.city_id]
        assert (posts, videos, interactions) == (one.posts, one.videos, one.interactions)
        assert one.views is None or views == one.views


def test_a_score_by_hand_is_the_target_it_was_solved_for(months):
    """One account-month by the formulas of the method, written out: logarithms between the goalposts."""
    from math import asinh, log1p  # noqa: PLC0415

    one = next(o for o in months if (o.month, o.platform, o.city_id) == ("2025-02", "facebook", "110000"))
    ends = goalposts()["facebook"]

    def points(name, value):
        low, high = ends[name]
        turn = (lambda x: asinh(x / 100)) if name == "follower_growth" else log1p
        return 100 * (turn(value) - turn(low)) / (turn(high) - turn(low))

    generate = 0.5 * points("posts", one.posts) + 0.5 * points("videos", one.videos)
    interactive = 0.6 * points("interactions", one.interactions) + 0.4 * points(
        "engagement_rate", one.interactions / one.posts
    )
    utilize = (
        0.35 * points("followers", one.followers) + 0.20 * points("follower_growth", one.followers - one.opening)
    ) / 0.55
    aims = targets()
    target = aims.scores[aims.accounts.index(("facebook", "110000")), aims.months.index("2025-02")]
    assert 0.2 * generate + 0.4 * interactive + 0.4 * utilize == pytest.approx(target, abs=0.005)


def test_the_weights_are_those_of_the_method():
    from smi_pipeline.index.method import load_method  # noqa: PLC0415

    method = load_method("m1")
    assert {name: rule.weight for name, rule in method.indicators.items()} == WEIGHTS
    assert [method.groups[name].weight for name in ("generate", "interactive", "utilize")] == [
        GENERATE, INTERACTIVE, UTILIZE,
    ]  # fmt: skip
    for platform, table in goalposts().items():
        assert method.goalposts.of(platform) == {name: tuple(ends) for name, ends in table.items()}


def test_every_printed_cell_and_post_names_an_account_there_is():
    aims = targets()
    for month, platform, city in (*cases().cells, *cases().records, *cases().posts):
        assert (platform, city) in aims.accounts
        assert month in aims.months
