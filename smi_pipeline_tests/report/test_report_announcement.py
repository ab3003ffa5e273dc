from smi_pipeline.registry.inputs import EditionRule
from smi_pipeline.report.announcement import announcement
from smi_pipeline.report.context import report

RULE = EditionRule(
    month="2025-05", ranks="withheld", reason_zh="部分数据仍在核对。", reason_en="some data are still being checked."
)


def test_a_month_is_told_by_its_leading_ten_and_its_largest_moves(given):
    assert announcement(report(given())).splitlines()[:10] == [
        "1. 甲市 Alpha 91.26 (=)",
        "2. 乙市 Bravo 88.50 (▲3)",
        "3. 丙市 Charlie 80.00 (▲1)",
        "3. 丁市 Delta 80.00 (▼1)",
        "5. 戊市 Echo 70.12 (=)",
        "6. 己市 Foxtrot 65.00 (=)",
        "7. 庚市 Golf 60.00 (new)",
        "8. 辛市 Hotel 55.00 (=)",
        "9. 壬市 India 50.00 (=)",
        "10. 癸市 Juliett 45.00 (▲3)",
    ]
    moves = announcement(report(given())).splitlines()[10:]
    assert moves[0].startswith("up: 乙市 Bravo 5 → 2, 癸市 Juliett 13 → 10")


def test_made_up_data_are_called_so_before_anything_else(given):
    assert announcement(report(given(synthetic=True))).startswith("made-up data, not a result\n")


def test_where_ranks_are_withheld_no_figure_is_told(given):
    text = announcement(report(given(edition=RULE)))
    assert text.endswith("some data are still being checked")
    assert text.startswith("leading, in random order: ")
    assert "Alpha" in text
    assert "Lima" not in text
    assert not any(sign in text for sign in ("91", "▲", "▼", "1.", "→"))
