"""What strangers wrote, made harmless."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smi_pipeline.report.untrusted import clean, host, link


@given(st.text(alphabet=st.characters()))
def test_nothing_that_acts_on_the_text_around_it_survives(text):
    line = clean(text)
    assert len(line) <= 280
    line.encode("utf-8")
    assert all(unicodedata.category(c) not in {"Cc", "Zl", "Zp"} for c in line)
    assert all(unicodedata.category(c) != "Cf" or c in "\u200c\u200d" for c in line)


@given(st.text(), st.integers(min_value=2, max_value=40))
def test_cleaning_twice_changes_nothing_more(text, length):
    once = clean(text, length=length)
    assert clean(once, length=length) == once


def test_a_reversed_file_name_reads_as_it_is_written():
    assert clean("photo\u202egnp.exe\u2066\u200f") == "photognp.exe"


def test_a_caption_becomes_one_line():
    assert clean(" a\r\n\tb\u2028c\u3000d ") == "a b c d"


def test_a_family_emoji_stays_one_family():
    family = "👩\u200d👩\u200d👧"
    assert clean(family) == family


def test_a_family_is_not_torn_by_the_cut():
    assert clean("ab👩\u200d👩\u200d👧cd", length=5) == "ab…"


def test_a_tower_of_marks_is_cut_down():
    assert clean("e" + "\u0301" * 200 + "x") == "é" + "\u0301" * 3 + "x"  # four in all: the first is part of the letter


def test_an_unpaired_surrogate_can_be_written():
    assert clean("a\ud800b") == "a\ufffdb"


@pytest.mark.parametrize("character", ["\ufffe", "\uffff", "\U0001fffe", "\U0010ffff", "\ufdd0", "\ufdef"])
def test_what_is_no_character_is_replaced_since_xml_would_not_be_readable(character):
    assert clean(f"a{character}b") == "a\ufffdb"


@pytest.mark.parametrize("character", ["\ufdcf", "\ufdf0", "\ufffd", "\U0001fffd", "😀", "𠮷"])
def test_what_is_beside_them_stays(character):
    assert clean(f"a{character}b") == f"a{character}b"


@pytest.mark.parametrize(
    "address",
    [
        None,
        "",
        "javascript:alert(1)",
        "JAVASCRIPT:alert(1)",
        "data:text/html,x",
        "http://www.facebook.com/1",
        "//evil.example/1",
        "https:///nohost",
        "https://graph.facebook.com@evil.example/",
        "https://a.example:8443/",
        "https://a.example:port/",
        "https://a.example/\\evil",
        "https://a.example/ b",
        "https://a.example/\nb",
        "https://fаcebook.com/1",  # the second letter is Cyrillic: that is the point
        " https://a.example/",
        "https://[broken/",
        'https://a.example/"onclick="x',
        "https://a.example/<script>",
        "https://a.example/`x`",
    ],
)
def test_only_a_plain_https_address_is_a_link(address):
    assert link(address) is None


def test_a_permalink_stays_as_it_is():
    address = "https://www.instagram.com/p/AbC-_1/?q=1&r=%20"
    assert link(address) == address
    assert host(address) == "instagram.com"
