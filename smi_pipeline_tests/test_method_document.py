"""The examples of docs/method.md are true: whoever changes a formula changes what is told about it."""

import doctest
import re

from smi import PROJECT

DOCUMENT = PROJECT / "docs" / "method.md"


def test_every_worked_example_of_the_method_comes_out():
    lines, inside = [], False
    for line in DOCUMENT.read_text(encoding="utf-8").splitlines():
        fence = line.startswith("```")
        inside = line == "```python" if fence else inside
        lines.append(line if inside and not fence else "")  # as many lines, so that a failure names the right one
    test = doctest.DocTestParser().get_doctest("\n".join(lines), {}, DOCUMENT.name, str(DOCUMENT), 0)
    told = []
    result = doctest.DocTestRunner(verbose=False).run(test, out=told.append)
    assert result.failed == 0, "".join(told)
    assert result.attempted > 70


def test_every_section_with_a_formula_has_an_example():
    sections = re.findall(
        r"^## ([^\n]+)\n(.*?)(?=^#|\Z)", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    office, statistician = sections[:4], sections[4:]
    assert not any(">>>" in body for _, body in office)
    told = {"Months that are unlike others", "Recompute it yourself"}
    assert {title for title, body in statistician if ">>>" not in body} == told
