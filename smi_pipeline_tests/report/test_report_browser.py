"""The pages in a real browser: Chromium draws them, runs their script under their own policy, and asks for nothing else."""

import shutil
import subprocess

import pytest
from hostile import everywhere

from smi_pipeline.report.archive import write_archive
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


def opened(chromium, page, profile):
    """The page's elements after its script ran, and what the console says."""
    done = subprocess.run(
        [chromium, *FLAGS, f"--user-data-dir={profile}", "--dump-dom", page.as_uri()],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


@pytest.mark.parametrize("page", ["index.html", "index.en.html"])
def test_a_page_shows_its_table_tools_and_logs_no_error(chromium, given, tmp_path, page):
    """The tools above the table are hidden until the script has run: seeing them means the policy let it."""
    written = tmp_path / "edition"
    write_report(report(given()), written)
    shown, console = opened(chromium, written / page, tmp_path / "profile")
    assert 'id="tools"' in shown
    assert 'id="tools" hidden' not in shown
    assert console == []


def test_a_citys_page_and_the_archive_open_whatever_strangers_wrote(chromium, given, posts_frame, tmp_path):
    """No script of theirs runs (the city's page allows none at all), and the archive's own search does."""
    write_report(report(everywhere(given, posts_frame)), tmp_path / "2025-05")
    archive = write_archive(tmp_path)
    shown, console = opened(chromium, tmp_path / "2025-05" / "cities" / "c01.zh.html", tmp_path / "profile")
    assert console == []
    assert "<script" not in shown
    assert "&lt;script&gt;alert(1)" in shown
    shown, console = opened(chromium, archive, tmp_path / "profile")
    assert console == []
    assert 'id="tools" hidden' not in shown
