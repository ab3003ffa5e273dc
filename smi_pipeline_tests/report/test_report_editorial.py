"""What editors write: printed as theirs, in its place, and as harmless as a stranger's caption."""

import re

import pytest

from smi_pipeline.registry.inputs import EditionRule
from smi_pipeline.registry.load import RegistryError
from smi_pipeline.report.context import report
from smi_pipeline.report.editorial import parse_editorial
from smi_pipeline.report.pages import page

HEAD = "byline: Data desk\nreviewed_by: A. Editor\n\n"

pytestmark = pytest.mark.usefixtures("light_font")


def parsed(body, language="en"):
    return parse_editorial(HEAD + body, "2025-05.en.md", language)


def problems(text):
    with pytest.raises(RegistryError) as caught:
        parse_editorial(text, "2025-05.en.md", "en")
    return caught.value.problems


def body_of(text, section):
    begin = text.index(f'<section id="{section}"')
    return text[begin : text.index("</section>", begin)]


def test_a_paragraph_is_added_below_what_is_computed_and_marked_as_the_editors(given):
    text = page(report(given(editorial={"en": parsed("# facebook +\nFour posts drew **many** likes.\n")})), "en")
    section = body_of(text, "facebook")
    assert section.index("Delta drew 412.9 thousand interactions") < section.index("Four posts drew")
    assert "<p>Four posts drew <strong>many</strong> likes.</p>" in section
    assert "Written by the editors (Data desk), reviewed by A. Editor" in section
    assert "By Data desk; reviewed by A. Editor" in text[: text.index("<main")]


def test_a_paragraph_replaces_what_is_computed_but_neither_table_nor_reason(given):
    written = {"en": parsed("# tiktok\nOther words.\n\n# facebook\nOther words.\n")}
    text = page(report(given(editorial=written)), "en")
    assert "Delta drew" not in body_of(text, "facebook")
    assert 'class="top"' in body_of(text, "facebook")
    assert "TikTok is left out of the composite index" in body_of(text, "tiktok")


def test_one_languages_text_is_not_the_others(given):
    context = report(given(editorial={"en": parsed("# finding\nOther words.\n")}))
    assert context.sentences["en"].finding == "Other words."
    assert "(written by the editors)" in page(context, "en")
    assert context.sentences["zh"].finding.startswith("甲市继续居")
    assert "编辑" not in page(context, "zh")


def test_what_was_computed_stays_in_the_claims(given):
    context = report(given(editorial={"en": parsed("# finding\nOther words.\n")}))
    assert context.claims[0].said["en"].startswith("Alpha still leads")


def test_lists_emphasis_links_and_lines_are_known_and_nothing_else():
    written = parsed("# composite +\nOne *two*\nthree [four](https://a.example/x).\n\n- five\n- six\n\nseven `eight`\n")
    [section] = written.sections
    assert [(listed, len(blocks)) for listed, blocks in section.runs] == [(False, 1), (True, 2), (False, 1)]
    assert section.text == "One two three four. five six seven `eight`"
    spans = section.blocks[0].spans
    assert [(span.text, span.emphasis, span.link) for span in spans] == [
        ("One ", False, None), ("two", True, None), (" ", False, None), ("three ", False, None),
        ("four", False, "https://a.example/x"), (".", False, None),
    ]  # fmt: skip


def test_chinese_lines_are_joined_without_a_space():
    assert parsed("# composite +\n厦门四条\n帖文\n", "zh").sections[0].text == "厦门四条帖文"


@pytest.mark.parametrize("language", ["zh", "en"])
def test_markup_is_printed_not_obeyed(given, language):
    evil = (
        "<script>alert(1)</script> <img src=x onerror=alert(1)> ![pixel](https://a.example/p.png) photo\u202egnp.exe"
        " {{ 7*7 }} <https://a.example/>"
    )
    written = parse_editorial(f'byline: <b>Desk</b>\nreviewed_by: "><i>\n\n# x +\n{evil}\n', "f", language)
    text = page(report(given(editorial={language: written})), language)
    section = body_of(text, "x")
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &lt;img src=x" in section
    assert "{{ 7*7 }}" in section
    assert "\u202e" not in text
    assert not re.findall(r"<(?:img|i|b)[ >]", section)
    assert "&lt;b&gt;Desk&lt;/b&gt;" in text


@pytest.mark.parametrize(
    "address", ["javascript:alert(1)", "http://a.example/", "data:text/html,x", "//a.example", "x.md"]
)
def test_a_link_that_is_no_plain_https_address_is_refused_with_its_line(address):
    [problem] = problems(f"{HEAD}# x +\nOne.\n\nTwo [three]({address}).\n")
    assert problem.startswith("2025-05.en.md: line 7: expected a plain https address as a link, got ")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("byline: A\n\n# x +\nText.\n", "line 1: expected a line `reviewed_by: NAME`"),
        ("byline: A\nreviewed_by:\n\n# x +\nText.\n", "line 1: expected a line `reviewed_by: NAME`"),
        (HEAD + "# weibo +\nText.\n", "line 4: expected `# PLACE` with one of finding, composite, facebook"),
        (HEAD + "## x +\nText.\n", "line 4: expected `# PLACE` with one of"),
        (HEAD + "Text.\n# x +\nText.\n", "line 4: expected a heading `# PLACE` before the text"),
        (HEAD + "# x +\nText.\n# x\nText.\n", "line 6: x stands there twice"),
        (HEAD + "# x +\n\n", "line 4: x has no text"),
        (HEAD + "# gaps\nNone.\n", "line 4: gaps can only be added to: `# gaps +`"),
        (HEAD + "# finding +\nText.\n", "line 4: finding can only be replaced"),
        (HEAD + "# finding\nOne.\n\nTwo.\n", "line 4: finding is one sentence, not several paragraphs"),
        (HEAD + "# x +\n" + "a" * 5001, "line 4: x has 5001 characters, at most 5000 are printed"),
        ("editor: A\n" + HEAD + "# x +\nText.\n", "line 1: expected one of byline, reviewed_by and a colon, got 'editor: A'"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_line(text, expected):
    [problem] = problems(text)
    assert problem.removeprefix("2025-05.en.md: ").startswith(expected)


def test_a_byline_may_stand_alone(given):
    written = {"zh": parse_editorial(HEAD, "f", "zh")}
    assert "编辑：Data desk；审阅：A. Editor" in page(report(given(editorial=written)), "zh")


def test_a_hashtag_at_the_beginning_of_a_line_is_no_heading():
    assert parsed("# x +\n#CulturalXiamen drew likes.\n").sections[0].text == "#CulturalXiamen drew likes."


def test_a_file_without_a_word_withdraws_the_text():
    assert parse_editorial(" \n\n", "f", "zh") is None


def test_a_month_without_ranks_keeps_the_sentence_that_says_so(given):
    rule = EditionRule(month="2025-05", ranks="withheld", reason_zh="核对", reason_en="checks")
    with pytest.raises(RegistryError, match=r"2025-05\.en\.md: # finding: a month without ranks keeps the sentence"):
        report(given(edition=rule, editorial={"en": parsed("# finding\nAlpha leads.\n")}))
    added = report(given(edition=rule, editorial={"en": parsed("# composite +\nMore words.\n")}))
    assert "More words." in body_of(page(added, "en"), "composite")
