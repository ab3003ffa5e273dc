"""The contrast of every pair of colours that stand on each other, computed as WCAG 2 defines it."""

import re

import pytest

from smi_pipeline.report.pages import style_sheet
from smi_pipeline.report.palette import DARK, LIGHT, PAIRS


def luminance(colour):
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def test_the_formula_gives_the_known_ends():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize(("front", "back", "least"), PAIRS)
def test_text_can_be_read_on_its_ground(palette, front, back, least):
    assert contrast(palette[front], palette[back]) >= least


def test_every_colour_of_text_in_the_style_sheet_is_among_the_pairs():
    style = style_sheet("zh", synthetic=True)
    used = set(re.findall(r"(?<![-\w])color: var\(--(\w+)\)", style))
    assert used <= {front for front, _, _ in PAIRS}


def test_the_style_sheet_has_no_colour_of_its_own():
    style = style_sheet("zh", synthetic=True)
    outside = re.sub(r"--\w+: #[0-9a-f]{6};", "", style)
    margins = re.search(r"@page \{.*?\n  \}", outside, re.DOTALL).group()  # custom properties do not reach there
    assert set(re.findall(r"#[0-9a-f]{6}", margins)) <= set(LIGHT.values())
    assert re.findall(r"#[0-9a-fA-F]{3,8}\b(?=[^{]*[;}])", outside.replace(margins, "")) == []


def test_both_palettes_name_the_same_colours():
    assert list(LIGHT) == list(DARK)
