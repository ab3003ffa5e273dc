"""The small pieces below the platforms: ids, kinds, page tokens, the grammar of fields, titles."""

from __future__ import annotations

import contextlib
import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smi_pipeline.sandbox import identity, tokens
from smi_pipeline.sandbox.dataset import KINDS
from smi_pipeline.sandbox.exchange import RefusedError
from smi_pipeline.sandbox.graph import Field, parse_fields
from smi_pipeline.sandbox.kinds import WORDS

AT = datetime(2025, 5, 1, 12, 30, tzinfo=UTC)
FORMS = {
    "facebook": r"123456_\d+",
    "x": r"\d{1,19}",
    "instagram": r"\d{17}",
    "youtube": r"[A-Za-z0-9_-]{11}",
    "tiktok": r"\d{19}",
}
ACCOUNT_FORMS = {"facebook": r"\d{15}", "x": r"\d{18}", "instagram": r"\d{17}", "youtube": r"UC[A-Za-z0-9_-]{22}"}


@pytest.mark.parametrize("platform", FORMS)
@given(ours=st.text(min_size=1))
def test_any_id_becomes_one_of_the_platforms_form_and_always_the_same(platform, ours):
    once = identity.post_id(platform, ours, account="123456", created_at=AT)

    assert once == identity.post_id(platform, ours, account="123456", created_at=AT)
    assert once == ours or re.fullmatch(FORMS[platform], once)
    assert identity.post_id(platform, "no id", account="123456", created_at=AT, attempt=1) != identity.post_id(
        platform, "no id", account="123456", created_at=AT
    )


@pytest.mark.parametrize("platform", ACCOUNT_FORMS)
def test_an_account_id_of_the_platforms_form_stays_and_another_becomes_one(platform):
    made = identity.account_id(platform, "Governo SP")

    assert re.fullmatch(ACCOUNT_FORMS[platform], made)
    assert identity.account_id(platform, made) == made
    assert identity.account_id("tiktok", "sbx_tt") == "sbx_tt"


def test_handles_fold_as_the_contract_says():
    assert identity.handle("youtube", "CARLY for America") == "CARLY_for_America"
    assert identity.handle("facebook", "UN.News.Centre") == "UN.News.Centre"
    assert identity.handle("x", "@UN.News.Centre and more") == "UN_News_Centre_"


def test_facebook_words_tell_every_kind_apart_and_instagram_words_its_own_four():
    facebook = {(WORDS[kind].facebook_status_type, WORDS[kind].facebook_media_type) for kind in KINDS}
    instagram = {
        kind: (WORDS[kind].instagram_media_type, WORDS[kind].instagram_media_product_type)
        for kind in ("photo", "short", "video", "album", "")
    }

    assert len(facebook) == len(KINDS)
    assert (WORDS[""].facebook_status_type, WORDS[""].facebook_media_type) == (None, None)
    assert instagram == {
        "photo": ("IMAGE", "FEED"),
        "": ("IMAGE", "FEED"),
        "short": ("VIDEO", "REELS"),
        "video": ("VIDEO", "FEED"),
        "album": ("CAROUSEL_ALBUM", "FEED"),
    }


@given(st.text(), st.integers(0, 2**48 - 1))
def test_a_page_token_opens_for_its_own_listing_alone(scope, place):
    for seal, unseal in ((tokens.seal, tokens.unseal), (tokens.seal_plain, tokens.unseal_plain)):
        token = seal(scope, place)
        assert unseal(scope, token) == place
        assert unseal(scope + "/other", token) is None


@given(st.text())
def test_a_made_up_page_token_opens_nothing(text):
    assert tokens.unseal("x/1", text) is None
    assert tokens.unseal_plain("x/1", text) is None


NAMES = st.from_regex(r"[a-z_][a-z0-9_]{0,8}", fullmatch=True)
ARGUMENTS = st.text(st.characters(exclude_characters=")", exclude_categories=["Cs"]), max_size=6)
FIELDS = st.recursive(
    st.builds(Field, NAMES, st.dictionaries(NAMES, ARGUMENTS, max_size=2)),
    lambda inner: st.builds(
        Field, NAMES, st.dictionaries(NAMES, ARGUMENTS, max_size=2), st.lists(inner, max_size=3).map(tuple)
    ),
    max_leaves=6,
)


@given(st.lists(FIELDS, max_size=4).map(tuple))
def test_fields_read_back_as_they_were_written(fields):
    assert parse_fields(",".join(map(str, fields))) == fields


@given(st.text("ab,.(){} ", max_size=12))
def test_any_other_text_is_refused_and_never_breaks_the_reader(text):
    with contextlib.suppress(RefusedError):  # anything else it raised would be a 500
        parse_fields(text)
