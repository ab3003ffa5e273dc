"""An edition's files from a lake that is there: CPU seconds by kind of file, and the same bytes from another process.

    .venv/bin/smi demo
    .venv/bin/python benchmarks/report.py [LAKE] [MONTH]

LAKE is data_lake/demo and MONTH 2025-05 unless given. The targets are 15 s of CPU for all files in both languages and
30 s more for the pages of 138 cities. The first file of a kind pays for reading its fonts and templates. At the end
`smi report` writes the edition again, in another time zone and with another hash seed, and every file is compared.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from smi_pipeline.defs.edition import report_input
from smi_pipeline.defs.inputs import kept_inputs
from smi_pipeline.lake.connection import Lake
from smi_pipeline.months import Month
from smi_pipeline.report.cards import cards
from smi_pipeline.report.charts import charts
from smi_pipeline.report.city_pages import city_pages
from smi_pipeline.report.context import report
from smi_pipeline.report.files import contents
from smi_pipeline.report.formats import LANGUAGES, Language
from smi_pipeline.report.pages import page
from smi_pipeline.report.pdf import pdf
from smi_pipeline.report.tables import excel_csv, rankings_csv, rankings_parquet
from smi_pipeline.report.workbook import workbook
from smi_pipeline.settings import Settings

FILES, CITIES = 15.0, 30.0


def main() -> None:
    """Measure each kind of file alone, then the edition as `smi report` writes it."""
    path = Path(sys.argv[1] if len(sys.argv) > 1 else "data_lake/demo").resolve()
    month = Month.parse(sys.argv[2] if len(sys.argv) > 2 else "2025-05")  # noqa: PLR2004  the second argument
    lake = Lake.of(path)
    began = time.process_time()
    context = report(report_input(lake, month, kept_inputs(lake, Settings(lake=path))))
    print(f"CPU seconds, {len(context.cities)} cities, {month}, both languages")
    spent = {"context": time.process_time() - began}

    def measure(name: str, make: Callable[[Language], object]) -> None:
        before = time.process_time()
        for language in LANGUAGES:
            make(language)
        spent[name] = time.process_time() - before

    measure("pages", lambda language: page(context, language))
    measure("PDF", lambda language: pdf(context, language))
    measure("workbooks", lambda language: workbook(context, language))
    measure("cards", lambda language: [(card.svg, card.png()) for card in cards(context, language).values()])
    measure("charts", lambda language: [(chart.svg(), chart.png()) for chart in charts(context, language).values()])
    before = time.process_time()
    for make in (rankings_csv, excel_csv, rankings_parquet):
        make(context)
    spent["CSV, Parquet"] = time.process_time() - before
    for name, seconds in spent.items():
        print(f"  {name:14} {seconds:6.2f}")
    print(f"  {'all':14} {sum(spent.values()):6.2f}   target {FILES:.0f}")
    measure("city pages", lambda language: city_pages(context, language))
    print(f"  {'city pages':14} {spent['city pages']:6.2f}   target {CITIES:.0f}")
    compare(path, month, contents(context))


def compare(path: Path, month: Month, here: dict[str, bytes]) -> None:
    """`smi report` in a process of its own: its CPU, and whether its bytes are these."""
    surroundings = os.environ | {"TZ": "Pacific/Apia", "PYTHONHASHSEED": "7", "LC_ALL": "C"}
    command = [str(Path(sys.executable).with_name("smi")), "--lake", str(path), "report", month.key]
    began = time.perf_counter()
    subprocess.run(command, env=surroundings, check=True, stdout=subprocess.DEVNULL)  # noqa: S603  our own command
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu, wall = used.ru_utime + used.ru_stime, time.perf_counter() - began
    folder = path / "reports" / month.key
    other = [name for name, content in here.items() if (folder / name).read_bytes() != content]
    size = sum(map(len, here.values())) / 1e6
    print(f"smi report: {cpu:.1f} s of CPU, marts and archive included, {wall:.1f} s of wall clock")
    print(f"{len(here)} files, {size:.1f} MB; other bytes in another process and zone: {', '.join(other) or 'none'}")


if __name__ == "__main__":
    main()
