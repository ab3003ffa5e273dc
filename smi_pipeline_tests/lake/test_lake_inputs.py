from datetime import UTC, date, datetime

import pytest

from smi_pipeline.lake.connection import LakeError
from smi_pipeline.lake.inputs import InputFile, store_inputs, stored_inputs

T1, T2 = datetime(2025, 6, 1, tzinfo=UTC), datetime(2025, 6, 2, tzinfo=UTC)


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
