"""What is told once must not be told ten times, and what is mended must be able to break again."""

from datetime import UTC, datetime

import pytest

from smi_pipeline.lake.connection import LakeError
from smi_pipeline.lake.notices import FILE, Notice, close, open_notices, tell, told

NOON = datetime(2025, 6, 3, 12, tzinfo=UTC)
LATER = datetime(2025, 6, 3, 13, tzinfo=UTC)


@pytest.fixture
def elsewhere():
    return {}  # notices are a file of the host's folder, wherever the catalog is


def failed(step, text="no answer"):
    return Notice(cause=f"run collect 2025-05 {step}", kind="failure", title=f"{step} failed", text=text)


def test_one_cause_is_told_once_however_often_it_comes_again(lake):
    assert [tell(lake, failed("raw/x", text), NOON) for text in ("503", "502", "timeout")] == [True, False, False]
    assert tell(lake, failed("raw/youtube"), LATER)
    assert [(line.number, line.title, line.text, line.at) for line in told(lake)] == [
        (1, "raw/x failed", "503", NOON),
        (2, "raw/youtube failed", "no answer", LATER),
    ]


def test_what_is_mended_is_said_once_for_all_of_it_and_can_break_again(lake):
    for step in ("raw/x", "raw/tiktok"):
        tell(lake, failed(step), NOON)
    tell(lake, Notice(cause="run collect 2025-04 raw/x", kind="failure", title="April"), NOON)
    assert close(lake, "run collect 2025-05 ", "2025-05: done", LATER)
    assert not close(lake, "run collect 2025-05 ", "2025-05: done", LATER)
    assert [line.title for line in told(lake, 3) if line.title] == ["2025-05: done"]
    assert [line.title for line in open_notices(lake)] == ["April"]
    assert tell(lake, failed("raw/x"), LATER)


def test_news_is_never_told_twice_and_never_waits_for_anybody(lake):
    news = Notice(cause="edition 2025-05 1", kind="news", title="out")
    assert [tell(lake, news, NOON), tell(lake, news, LATER)] == [True, False]
    assert not close(lake, "edition", "done", LATER)
    assert open_notices(lake) == []


def test_captions_in_any_script_and_line_breaks_stay_one_line(lake):
    tell(lake, failed("raw/x", "第一行\nsecond \u2028 line"), NOON)
    tell(lake, failed("raw/y"), NOON)
    assert [line.text for line in told(lake)] == ["第一行\nsecond \u2028 line", "no answer"]


def test_a_line_that_is_not_a_notice_is_named(lake):
    tell(lake, failed("raw/x"), NOON)
    with (lake.path / FILE).open("a") as file:
        file.write("{half\n")
    with pytest.raises(LakeError, match=r"notices\.jsonl, line 2: not a notice"):
        told(lake)
