"""The mistakes a tired person makes: each ends in a clear line, the documented exit code, and nothing half-written."""

import functools
import io
import shutil
import socket
import subprocess
import sys

import pytest
from smi import PROJECT, SAMPLE, command, environment
from smi import smi as untraced

from smi_pipeline.cli_output import print_json

smi = functools.partial(untraced, measured=True)


def lines(done):
    assert "Traceback" not in done.stderr
    return done.stderr.strip().splitlines()


@pytest.fixture
def own_registry(tmp_path):
    shutil.copytree(PROJECT / "docs" / "registry_template", tmp_path / "registry")
    return tmp_path / "registry"


def test_a_missing_credential_names_its_variable_and_asks_nobody(tmp_path, own_registry):
    done = smi("collect", "2025-05", "--platform", "x", "--lake", tmp_path / "lake", "--registry", own_registry)
    assert done.returncode == 1
    [line] = lines(done)
    assert "SMI_X_BEARER_TOKEN" in line


def test_the_fictional_registry_is_kept_from_the_real_services(tmp_path):
    done = smi("run", "2025-05", "--lake", tmp_path / "lake", SMI_X_BEARER_TOKEN="not-a-real-token")
    assert done.returncode == 1
    assert all("fictional account" in line for line in lines(done))
    assert "https://api.x.com" in done.stderr
    assert "--sandbox" in done.stderr


def test_a_malformed_registry_line_is_named_and_nothing_is_stored(tmp_path, own_registry):
    accounts = own_registry / "accounts.csv"
    accounts.write_text(accounts.read_text().replace("320100,x,", "320100,twitter,"))
    done = smi("collect", "2025-05", "--platform", "x", "--lake", tmp_path / "lake", "--registry", own_registry)
    assert done.returncode == 1
    [line] = lines(done)
    assert "accounts.csv line 3, column platform" in line
    assert "'twitter'" in line


@pytest.mark.parametrize("month", ["2025-13", "may", "2023-01", "2199-01"])
def test_a_month_that_is_none_is_wrong_usage(tmp_path, month):
    done = smi("run", month, "--lake", tmp_path / "lake")
    assert done.returncode == 2
    assert month in done.stderr
    assert not (tmp_path / "lake").exists()


def test_a_backfill_that_ends_before_it_begins_is_wrong_usage(tmp_path):
    done = smi("backfill", "2025-05", "2025-04", "--lake", tmp_path / "lake")
    assert done.returncode == 2
    assert "before it begins" in done.stderr


def test_a_port_in_use_is_said_with_its_remedy(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for arguments in (("sandbox", "serve"), ("dev",)):
            done = smi(*arguments, "--dataset", SAMPLE, "--port", port, "--lake", tmp_path / "lake")
            assert done.returncode == 1, arguments
            assert str(port) in done.stderr
            assert "--port" in done.stderr
            assert "Traceback" not in done.stderr


def test_a_lake_that_cannot_be_written_is_one_line(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    done = smi("run", "2025-05", "--sandbox", "--lake", blocked / "lake")
    assert done.returncode == 1
    [line] = lines(done)
    assert "cannot be written" in line
    assert "--lake" in line


def test_a_lake_that_is_not_there_is_not_made_by_looking(tmp_path):
    for arguments in (("status",), ("export", "index.composite")):
        done = smi("--lake", tmp_path / "lake", *arguments)
        assert done.returncode == 1
        assert "there is no lake" in done.stderr
    assert not (tmp_path / "lake").exists()


def test_a_data_set_that_is_none_is_named(tmp_path):
    done = smi(
        "run",
        "2025-05",
        "--sandbox",
        tmp_path / "nothing",
        "--registry",
        SAMPLE / "registry",
        "--lake",
        tmp_path / "lake",
    )
    assert done.returncode == 1
    assert "nothing" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_data_set_without_a_registry_says_how_to_make_one(tmp_path):
    done = smi("run", "2025-05", "--sandbox", tmp_path, "--lake", tmp_path / "lake")
    assert done.returncode == 1
    assert "from-dataset" in done.stderr


def test_a_setting_that_makes_no_sense_is_named():
    done = smi("status", SMI_ZONE="Asia/Shangai")
    assert done.returncode == 1
    assert "SMI_ZONE" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_sandbox_option_may_stand_alone_and_shared_options_anywhere():
    from smi_pipeline.cli import _arranged  # noqa: PLC0415

    assert _arranged(["run", "--sandbox", "2025-05"]) == ["run", "--sandbox", "@scenario", "2025-05"]
    assert _arranged(["run", "2025-05", "--sandbox"]) == ["run", "2025-05", "--sandbox", "@scenario"]
    assert _arranged(["run", "2025-05", "--sandbox", "--force"]) == [
        "run",
        "2025-05",
        "--sandbox",
        "@scenario",
        "--force",
    ]
    assert _arranged(["run", "--sandbox", "posts", "2025-05", "--lake", "x"]) == [
        "--lake",
        "x",
        "run",
        "--sandbox",
        "posts",
        "2025-05",
    ]


def test_the_doctor_finds_a_fresh_installation_fit_and_names_what_is_missing(tmp_path):
    done = smi("doctor", "--lake", tmp_path / "lake", COLUMNS="300")
    assert done.returncode == 0, done.stdout
    assert "ducklake.duckdb_extension" in done.stdout
    for variable in ("SMI_FACEBOOK_TOKEN", "SMI_X_BEARER_TOKEN", "SMI_YOUTUBE_API_KEY"):
        assert variable in done.stdout


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "gbk", "utf-8"])
def test_what_a_terminal_cannot_show_is_replaced_and_ends_no_command(tmp_path, own_registry, encoding):
    """The note on two cities of one name has Chinese names, and one city an emoji, which GBK lacks."""
    lines = ["city_id,name_zh,name_en,province", "320500,苏州,Suzhou,江苏", "341300,宿州🏙,Suzhou,安徽"]
    (own_registry / "cities.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (own_registry / "accounts.csv").write_text("city_id,platform,handle,account_id\n", encoding="utf-8")
    done = subprocess.run(
        command("registry", "check", own_registry),
        env=environment(PYTHONIOENCODING=encoding),
        cwd=PROJECT,
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    shown = done.stdout.decode(encoding)
    assert "is the English name of 2 cities: 320500 (" in shown
    assert ("宿州" in shown) == (encoding in ("gbk", "utf-8"))
    assert ("🏙" in shown) == (encoding == "utf-8")


@pytest.mark.parametrize(
    ("encoding", "written"), [("utf-8", '"苏州"'), ("gbk", r'"\u82cf\u5dde"'), ("ascii", r'"\u82cf\u5dde"')]
)
def test_json_loses_nothing_in_an_encoding_that_lacks_its_characters(monkeypatch, encoding, written):
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(sys, "stdout", stream)
    print_json("苏州")
    stream.flush()
    assert stream.buffer.getvalue().decode(encoding) == f"{written}\n"


def test_every_command_explains_itself():
    shown = smi("--help", COLUMNS="200").stdout
    for name in (
        "demo",
        "collect",
        "run",
        "backfill",
        "status",
        "sandbox",
        "report",
        "explain",
        "export",
        "doctor",
        "dev",
        "registry",
        "method",
    ):
        assert name in shown
