"""Where else strangers' texts come to: the JSON others read, the terminal, the tables of the UI."""

import io
import json
import unicodedata
from datetime import date

import hostile as attack
import pytest
from rich.console import Console

from smi_pipeline.defs.preview import month_metadata
from smi_pipeline.lake.connection import Lake
from smi_pipeline.months import Month
from smi_pipeline.report.untrusted import CAPTION_LENGTH, clean
from smi_pipeline.status import top_table

MAY = date(2025, 5, 1)
HARMLESS = "\u200c\u200d"  # without the joiners emoji and several scripts cannot be written


def acting(text):
    """The characters of a text that act on what stands around it, or that no file of text may hold."""
    return {
        c
        for c in text
        if c not in HARMLESS
        and (unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"} or ord(c) & 0xFFFE == 0xFFFE)
    }


@pytest.fixture(scope="module")
def told(hostile):
    return (hostile / "reports" / "2025-05" / "report.json").read_text(encoding="utf-8")


def test_every_caption_came_all_the_way(told):
    """Else nothing here would show anything: each is among some platform's best posts, the ten megabytes one, too."""
    texts = [post["text"] for section in json.loads(told)["sections"] for post in section["posts"]]
    begins = {clean(caption)[:20] for caption in attack.CAPTIONS.values()}
    assert [begin for begin in begins if not any(text.startswith(begin) for text in texts)] == []
    assert any(text.startswith("<b>window.") for text in texts)


def test_no_text_of_the_json_acts_on_another_or_is_longer_than_a_caption(told):
    """But `rankings`, which has the registry's own names untouched, as rankings.csv has."""
    said = {name: value for name, value in json.loads(told).items() if name != "rankings"}
    assert acting(json.dumps(said, ensure_ascii=False)) == set()
    captions = [
        post["text"] for section in json.loads(told)["sections"] for post in section["posts"] + section["cases"]
    ]
    assert max(map(len, captions)) == CAPTION_LENGTH
    assert len(told) < 2_000_000


def test_no_address_of_the_json_leads_anywhere(told):
    """Made-up posts are linked within .example only, and only by plain addresses."""
    links = [post["link"] for section in json.loads(told)["sections"] for post in section["posts"] + section["cases"]]
    assert set(links) == {None}


def test_the_terminal_prints_names_as_they_are_spelt(hostile):
    out = io.StringIO()
    Console(file=out, width=200).print(top_table(Lake.of(hostile), Month(MAY)))
    assert acting(out.getvalue().replace("\n", "")) == set()
    assert "=1+1<b>南京</b>" in out.getvalue()


def test_the_tables_of_the_ui_hold_short_plain_cells(hostile):
    for table in ("raw.facebook_posts", "staging.stg_posts", "marts.top_posts"):
        preview = month_metadata(Lake.of(hostile), table, MAY)["preview"]
        cells = [cell for record in preview.records for cell in record.data.values() if cell is not None]
        assert len(cells) > 50
        assert acting("".join(cells)) == set()
        assert max(map(len, cells)) <= 60
