"""Each month has one version of the method, and a published version never changes."""

from __future__ import annotations

import pytest

from smi_pipeline.index.method import MethodError, bundled_versions, load_method, method_text, parse_method
from smi_pipeline.index.versions import Versions, bundled_months, differences, digest, parse_months
from smi_pipeline.months import Month

# A published version's numbers. A line here is added with a version and never changed: CONTRIBUTING.md, "Make m2". The
# one exception is m1, which was corrected once (DECISIONS.md, "Unknown counts in rates"); FIRST is what it was until then.
PUBLISHED = {"m1": "3c6cd63beb82a654b444998ec35bf84d9e3448ea2b345a0862e28a6484dcbe0b"}
FIRST = "687897af35f38fba2e889f6a1eb687c1bfb3bddfd2583e42d5b96ff8813f6696"

TWO = """
[[bound]]
version = "m1"
[[bound]]
version = "m2"
from = "2026-05"
overlap = "2026-04"
"""


def version(name, *replaced):
    text = method_text("m1").replace('version = "m1"', f'version = "{name}"')
    for old, new in replaced:
        assert old in text
        text = text.replace(old, new, 1)
    return parse_method(text, name=f"{name}.toml")


def months(text, **methods):
    known = {"m1": load_method("m1"), "m2": version("m2"), "m3": version("m3")} | methods
    return parse_months(text, load=known.__getitem__)


@pytest.mark.parametrize("name", bundled_versions())
def test_a_published_version_has_the_numbers_it_was_published_with(name):
    assert digest(load_method(name)) == PUBLISHED[name]


def test_every_bundled_version_calls_itself_by_its_files_name():
    assert [load_method(name).version for name in bundled_versions()] == bundled_versions()


def test_every_month_of_the_project_has_a_bundled_version():
    versions = bundled_months()
    assert set(versions.names) <= set(bundled_versions())
    assert versions.of(Month.parse("2024-05")) == "m1"
    assert versions.of(Month.parse("1999-01")) == "m1"


def test_a_better_word_is_no_other_method_and_another_number_is():
    words = version("m1", ("What a city publishes counts a fifth of what comes back.", "Other words."))
    number = version("m1", ("posts = [0, 200]", "posts = [0, 500]"))
    assert digest(words) == digest(load_method("m1"))
    assert digest(number) != digest(load_method("m1"))
    assert differences(load_method("m1"), words) == []
    assert differences(load_method("m1"), number) == [("goalposts.facebook.posts", [0, 200], [0, 500])]


def test_a_text_of_before_there_was_a_rule_for_rates_is_the_method_it_was():
    """Published months keep the texts they were computed with, and their figures: a hidden count acts as 0 in them."""
    lines = method_text("m1").splitlines(keepends=True)
    before = parse_method("".join(line for line in lines if not line.startswith("rates")), name="m1.toml")
    assert before.rates == "all"
    assert digest(before) == FIRST
    assert differences(before, load_method("m1")) == [("rates", None, "reported")]


def test_a_parameter_only_one_method_has_differs_from_nothing():
    weighed = version("m1", ("[experts.criteria]", "[experts.criteria]\nstory = 3"))
    assert differences(load_method("m1"), weighed) == [("experts.criteria.story", None, 3)]


def test_a_version_holds_from_its_first_month_until_the_next_begins():
    versions = months(TWO + '[[bound]]\nversion = "m3"\nfrom = "2027-05"')
    got = {key: versions.of(Month.parse(key)) for key in ("2024-05", "2026-04", "2026-05", "2027-04", "2027-05")}
    assert got == {"2024-05": "m1", "2026-04": "m1", "2026-05": "m2", "2027-04": "m2", "2027-05": "m3"}
    assert [last and last.key for _, last in versions.spans()] == ["2026-04", "2027-04", None]


def test_one_method_may_stand_for_every_month():
    assert Versions.always("/own.toml").of(Month.parse("2025-05")) == "/own.toml"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "bound: Field required"),
        ("bound = []", "bound: "),
        ('[[bound]]\nversion = "m1"\nsince = "2025-05"', "bound.0.since: Extra inputs are not permitted"),
        ('[[bound]]\nversion = "m1"\nfrom = "2025-05"', "m1 is the first version and holds from the beginning"),
        ('[[bound]]\nversion = "m1"\nto = "2025-05"', "m1 is the last version and holds on"),
        ('[[bound]]\nversion = "m1"\noverlap = "2025-05"', "m1.overlap: there is no version before it"),
        (TWO.replace('from = "2026-05"', ""), "m2 follows m1 and needs `from`"),
        (TWO.replace("2026-05", "2026-5"), "bound.1.from: a month is written YYYY-MM, like 2025-05; got '2026-5'"),
        (TWO.replace('"m1"', '"m1"\nto = "2026-02"'), "2026-03 is bound to neither m1 nor m2"),
        (TWO.replace('"m1"', '"m1"\nto = "2026-05"'), "2026-05 is bound to both m1 and m2"),
        (TWO + '[[bound]]\nversion = "m3"\nfrom = "2026-05"', "2026-05 is bound to both m2 and m3"),
        (TWO + '[[bound]]\nversion = "m1"\nfrom = "2027-05"', "m1 is bound twice"),
        (TWO + 'to = "2026-01"\n[[bound]]\nversion = "m3"\nfrom = "2027-05"', "m2: to = 2026-01 lies before from"),
        (TWO.replace('"2026-04"', '"2026-03"'), "m2.overlap: expected 2026-04 or 2026-05, at the border to m1"),
        ("[[bound]", "not a TOML file"),
    ],
)
def test_a_gap_a_double_binding_or_a_wrong_key_is_refused(text, told):
    with pytest.raises(MethodError) as error:
        months(text)
    assert str(error.value).startswith("months.toml: ")
    assert told in str(error.value)


def test_an_end_that_agrees_with_the_next_beginning_may_be_written_down():
    assert months(TWO.replace('"m1"', '"m1"\nto = "2026-04"')).of(Month.parse("2026-04")) == "m1"


def test_a_version_that_is_not_there_is_refused():
    with pytest.raises(MethodError, match=r"months\.toml: there is no method 'm9'; expected one of m1"):
        parse_months('[[bound]]\nversion = "m9"')


def test_a_version_that_calls_itself_otherwise_is_refused():
    with pytest.raises(MethodError, match=r"months\.toml: m2: its file calls itself 'm1'"):
        months(TWO, m2=load_method("m1"))


@pytest.mark.parametrize(
    ("key", "old", "new"),
    [
        ("include_reposts", "include_reposts = false", "include_reposts = true"),
        ("zone", '"Asia/Shanghai"', '"Asia/Tokyo"'),
    ],
)
def test_versions_that_count_differently_cannot_share_stored_metrics(key, old, new):
    """The month before a new version is scored under it, from metrics that were counted under the old one."""
    with pytest.raises(MethodError, match=f"m2: {key} differs from m1; it decides what is counted"):
        months(TWO, m2=version("m2", (old, new)))
