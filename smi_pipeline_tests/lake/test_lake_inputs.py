from datetime import UTC, date, datetime

import pytest

from smi_pipeline.lake.connection import LakeError
from smi_pipeline.lake.inputs import InputFile, store_inputs, stored_inputs
from smi_pipeline.registry.inputs import Vintage

T1, T2, T3 = (datetime(2025, 6, day, tzinfo=UTC) for day in (1, 2, 3))


def stored_texts(lake):
    with lake.read() as cursor:
        return [text for (text,) in cursor.execute("select text from raw.input_file order by loaded_at").fetchall()]


def test_a_file_is_stored_when_it_changes_and_only_then(lake):
    old, new = InputFile("cities", "cities.csv", "a\n"), InputFile("cities", "cities.csv", "b\n")
    assert store_inputs(lake, [old], T1).need("cities") == old
    before = lake.snapshot()
    assert store_inputs(lake, [old], T2).need("cities") == old
    assert lake.snapshot() == before
    assert store_inputs(lake, [new], T2).need("cities") == new
    assert stored_inputs(lake).need("cities") == new
    assert stored_texts(lake) == ["a\n", "b\n"]


def test_expert_scores_belong_to_their_month(lake):
    may = InputFile("expert_scores", "2025-05.csv", "x", date(2025, 5, 1))
    store_inputs(lake, [may], T1)
    assert stored_inputs(lake).find("expert_scores", date(2025, 5, 1)) == may
    assert stored_inputs(lake).find("expert_scores", date(2025, 4, 1)) is None


def test_a_lake_without_a_registry_says_so(lake):
    with pytest.raises(LakeError, match="holds no input file of kind 'cities'"):
        stored_inputs(lake).need("cities")


def test_a_revised_file_is_the_next_vintage_and_the_older_text_stays(lake):
    """A correction that is taken back is a third one: what an edition rests on is the newest, not the first alike."""
    first, second = (InputFile("expert_scores", "2025-05.csv", text, date(2025, 5, 1)) for text in ("a\n", "b\n"))
    for number, (file, at) in enumerate([(first, T1), (second, T2), (first, T3)], start=1):
        stored = store_inputs(lake, [file], at)
        assert stored.vintage("expert_scores", date(2025, 5, 1)) == Vintage(number, file.sha256, at)
        assert stored_inputs(lake).vintage("expert_scores", date(2025, 5, 1)) == Vintage(number, file.sha256, at)
    assert stored_texts(lake) == ["a\n", "b\n", "a\n"]
    assert stored.vintage("expert_scores", date(2025, 4, 1)) is None


def test_each_version_of_the_method_is_kept_and_of_every_other_file_one(lake):
    m1, m2 = InputFile("method", "m1", "one"), InputFile("method", "m2", "two")
    changed = InputFile("method", "m1", "one again")
    store_inputs(lake, [m1, m2, InputFile("cities", "cities.csv", "a")], T1)
    store_inputs(lake, [changed, m2, InputFile("cities", "towns.csv", "b")], T2)
    kept = stored_inputs(lake)
    assert (kept.need("method", name="m1"), kept.need("method", name="m2")) == (changed, m2)
    assert kept.need("cities").name == "towns.csv"
    assert sorted(stored_texts(lake)) == ["a", "b", "one", "one again", "two"]
    with pytest.raises(LakeError, match="no input file of kind 'method' and name 'm3'"):
        kept.need("method", name="m3")


def test_a_text_stored_after_the_hosts_clock_went_back_is_the_newest(lake):
    old, new = InputFile("cities", "cities.csv", "a\n"), InputFile("cities", "cities.csv", "b\n")
    store_inputs(lake, [old], T3)
    assert store_inputs(lake, [new], T1).need("cities") == new
    assert stored_inputs(lake).need("cities") == new
    assert stored_inputs(lake).vintage("cities") == Vintage(2, new.sha256, T1)
    before = lake.snapshot()
    store_inputs(lake, [new], T2)
    assert lake.snapshot() == before
