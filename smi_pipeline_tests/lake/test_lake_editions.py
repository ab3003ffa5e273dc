"""The record of editions: append-only, one draft a month, what is published never changes, and which snapshots it needs."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from smi_pipeline.lake.connection import LakeError
from smi_pipeline.lake.editions import Basis, Edition, draft, edition_snapshots, editions, published, record

MAY = date(2025, 5, 1)
BASIS = Basis(
    status="provisional",
    ranks="shown",
    method_version="m1",
    method_files={"2025-05": "m1"},
    zone="Asia/Shanghai",
    code_version="0.1",
    snapshot=7,
    collection_ids=["2025-05.x.0001"],
    inputs={"cities": "c", "expert_scores 2025-05": "e"},
)
FIRST = Edition(
    month=MAY,
    number=1,
    state="draft",
    basis=BASIS,
    tables_snapshot=9,
    tables={"index.composite": "t"},
    files={"index.html": "f"},
    recorded_at=datetime(2025, 6, 10, tzinfo=UTC),
)


def test_an_edition_comes_back_as_it_was_recorded(lake):
    record(lake, FIRST)
    with lake.read() as cursor:
        assert editions(cursor) == [FIRST]
        assert draft(cursor, MAY) == FIRST
        assert published(cursor, MAY) is None


def test_the_same_state_is_recorded_once_whenever_it_is_said_again(lake):
    assert record(lake, FIRST)
    before = lake.snapshot()
    assert not record(lake, replace(FIRST, recorded_at=datetime(2025, 6, 11, tzinfo=UTC), tables_snapshot=12))
    assert lake.snapshot() == before


def test_a_draft_is_replaced_and_its_earlier_states_stay_in_the_log(lake):
    record(lake, FIRST)
    record(lake, replace(FIRST, files={"index.html": "g"}))
    with lake.read() as cursor:
        assert [one.files["index.html"] for one in editions(cursor)] == ["g"]
        logged = cursor.execute("select entry, files->>'index.html' from index.edition_log order by entry").fetchall()
    assert logged == [(1, "f"), (2, "g")]


def test_what_is_published_is_refused_any_change(lake):
    record(lake, FIRST)
    record(lake, replace(FIRST, state="published"))
    with pytest.raises(LakeError, match="edition 1 of 2025-05 is published and never changes"):
        record(lake, replace(FIRST, state="published", files={"index.html": "g"}))
    with pytest.raises(LakeError, match="never changes"):
        record(lake, FIRST)


def test_editions_keep_the_snapshots_of_their_inputs_and_of_their_tables(lake):
    """A dropped draft needs none, an earlier edition needs its own as much as the newest."""
    with lake.read() as cursor:
        assert edition_snapshots(cursor) == []
    record(lake, replace(FIRST, state="published"))
    second = replace(FIRST, number=2, basis=replace(BASIS, snapshot=20), tables_snapshot=25)
    record(lake, second)
    record(lake, replace(FIRST, month=date(2025, 6, 1), basis=replace(BASIS, snapshot=30), tables_snapshot=30))
    with lake.read() as cursor:
        assert edition_snapshots(cursor) == [7, 9, 20, 25, 30]
    record(lake, replace(second, state="dropped"))
    with lake.read() as cursor:
        assert edition_snapshots(cursor) == [7, 9, 30]
        assert published(cursor, MAY).number == 1
        assert draft(cursor, MAY) is None
