"""The pages in a real browser: Chromium draws them, runs their script under their own policy, and asks for nothing else."""

import shutil
import subprocess

import pytest

from smi_pipeline.report.context import report
from smi_pipeline.report.files import write_report

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--enable-logging=stderr", "--v=0",
)  # fmt: skip


@pytest.fixture(scope="session")
def chromium():
    found = shutil.which("chromium")
    if found is None:
        pytest.skip("chromium is not installed (Debian: apt-get install chromium)")
    return found


@pytest.mark.parametrize("page", ["index.html", "index.en.html"])
def test_a_page_shows_its_table_tools_and_logs_no_error(chromium, given, tmp_path, page):
    """The tools above the table are hidden until the script has run: seeing them means the policy let it."""
    written = tmp_path / "edition"
    write_report(report(given()), written)
    done = subprocess.run(
        [chromium, *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", (written / page).as_uri()],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert 'id="tools"' in done.stdout
    assert 'id="tools" hidden' not in done.stdout
    console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    assert console == []
