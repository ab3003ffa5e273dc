"""A setting that has no effect is named; a .env that cannot be read is one line with its path."""

import os
import subprocess

import pytest
from smi import PROJECT, command, environment

from smi_pipeline.settings import Settings, SettingsError, ignored_settings, settings


@pytest.fixture
def env_file(tmp_path, monkeypatch):
    """Writes the .env of the current directory."""
    monkeypatch.chdir(tmp_path)

    def write(content, encoding="utf-8"):
        (tmp_path / ".env").write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
        settings.cache_clear()
        return (tmp_path / ".env").resolve()

    yield write
    settings.cache_clear()


def smi_in(folder, *arguments, **extra):
    return subprocess.run(
        command(*arguments),
        env=environment(PYTHONPATH=str(PROJECT), COLUMNS="300", **extra),
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_misspelt_name_in_the_environment_is_named_with_the_nearest_setting(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SMI_X_USD_PER_MONTH", "5")
    monkeypatch.setenv("SMI_QQQ", "5")
    assert ignored_settings() == [
        "SMI_QQQ in the environment is not a setting and is ignored",
        "SMI_X_USD_PER_MONTH in the environment is not a setting and is ignored; did you mean SMI_X_USD_A_MONTH?",
    ]


def test_names_of_the_tests_of_other_programs_and_in_lower_case_are_no_mistake(monkeypatch, env_file):
    env_file("POSTGRES_PASSWORD=x\nSMILE=1\nexport SMI_TESTS_EXAMPLES=5\nsmi_zone=UTC\n\n# SMI_NONE=1\n")
    monkeypatch.setenv("SMI_TESTS_MAY_SKIP", "no")
    monkeypatch.setenv("SMI", "/bin/smi")
    assert ignored_settings() == []
    assert settings().zone == "UTC"


def test_every_setting_there_is_is_known(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.setenv(f"SMI_{name.upper()}", "x")
    assert ignored_settings() == []


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            "SMI_X_USD_PER_MONTH=5",
            "SMI_X_USD_PER_MONTH is not a setting and is ignored; did you mean SMI_X_USD_A_MONTH?",
        ),
        ("SMI-ZONE=UTC", "SMI-ZONE is not a setting and is ignored; did you mean SMI_ZONE?"),
        ("ＳＭＩ_ZONE=UTC", "ＳＭＩ_ZONE is not a setting and is ignored; did you mean SMI_ZONE?"),
        ("SMI_X_BEARER_TOKEN＝canary", "SMI_X_BEARER_TOKEN is not followed by = and a value and is ignored"),
        ("SMI_X_BEARER_TOKEN:canary", "SMI_X_BEARER_TOKEN is not followed by = and a value and is ignored"),
    ],
)
def test_a_line_of_the_file_that_sets_nothing_is_named_without_its_value(env_file, line, said):
    path = env_file(f"# first\n\n{line}\n")
    assert ignored_settings() == [f"{path} line 3: {said}"]


def test_a_line_that_is_no_assignment_is_named_by_its_number(env_file):
    path = env_file('SMI_ZONE=UTC\nSMI_REGISTRY="open\n')
    assert ignored_settings() == [f"{path} line 2 is not NAME=VALUE and is ignored"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"SMI_ZONE=UTC\n# \xd4\xa4\xcb\xe3\n", "line 2 is not UTF-8; save the file as UTF-8"),
        ("SMI_ZONE=UTC\n".encode("utf-16"), "line 1 is not UTF-8; save the file as UTF-8"),
        (
            "SMI_ZONE=UTC\n".encode("utf-16-le"),
            "line 1 has NUL characters, as UTF-16 does; save the file as UTF-8",
        ),
    ],
)
def test_a_file_in_another_encoding_is_refused_with_its_path_and_line(env_file, content, said):
    path = env_file(content)
    with pytest.raises(SettingsError) as refused:
        settings()
    assert str(refused.value) == f"{path} {said}"


def test_a_byte_order_mark_does_not_hide_the_first_setting(env_file):
    env_file("SMI_ZONE=UTC\n", "utf-8-sig")
    assert settings().zone == "UTC"
    assert ignored_settings() == []


@pytest.mark.parametrize("name", ["SMI_X_USD_A_MONTH", "SMI_RETRY_MINUTES"])
@pytest.mark.parametrize("value", ["nan", "inf"])
def test_a_limit_that_is_no_number_is_refused(env_file, name, value):
    env_file(f"{name}={value}\n")
    with pytest.raises(ValueError, match="finite number"):
        settings()


def test_commands_that_send_requests_and_the_doctor_name_what_is_ignored(tmp_path):
    (tmp_path / ".env").write_text("SMI_X_USD_PER_MONTH=5\n")
    said = "line 1: SMI_X_USD_PER_MONTH is not a setting and is ignored; did you mean SMI_X_USD_A_MONTH?"
    done = smi_in(tmp_path, "doctor", "--lake", tmp_path / "lake")
    assert (done.returncode, said in done.stdout) == (0, True)
    for arguments in (
        ("collect", "2025-05"),
        ("snapshot", "2025-05-01"),
        ("run", "2025-05"),
        ("backfill", "2025-05", "2025-05"),
    ):
        done = smi_in(tmp_path, *arguments, "--platform", "x", "--lake", tmp_path / "lake")
        assert done.stderr.count(said) == 1, arguments


def test_every_command_refuses_an_unreadable_file_in_one_line(tmp_path):
    (tmp_path / ".env").write_bytes(b"SMI_ZONE=UTC\n# \xd4\xa4\xcb\xe3\n")
    for arguments in (("status",), ("doctor",), ("run", "2025-05"), ("lake", "check")):
        done = smi_in(tmp_path, *arguments, "--lake", tmp_path / "lake")
        assert done.returncode == 1, arguments
        assert done.stderr == f"{os.path.realpath(tmp_path)}/.env line 2 is not UTF-8; save the file as UTF-8\n"


@pytest.mark.parametrize(("name", "why"), [("q?1", "?"), ("q%20a", "%"), ("q\\a", "backslash")])
def test_a_lake_whose_path_would_be_read_as_another_is_refused_before_anything_is_written(tmp_path, name, why):
    for lake in (tmp_path / name, tmp_path / name / "lake"):
        done = smi_in(tmp_path, "run", "2025-05", "--sandbox", "--lake", lake)
        assert done.returncode == 1
        [line] = done.stderr.splitlines()
        assert line.startswith("SMI_LAKE: ")
        assert why in line
        assert str(tmp_path / name) in line
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["100%", "a b", "a#b", "a[b]", "a'b", '"a"', "市", "a*b"])
def test_other_names_of_a_lakes_folder_are_taken(tmp_path, name):
    assert Settings(lake=tmp_path / name).lake == tmp_path / name


def test_a_lake_called_so_is_taken_where_dagsters_history_is_elsewhere(tmp_path, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    assert Settings(lake=tmp_path / "q?1").lake == tmp_path / "q?1"
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home?"))
    with pytest.raises(ValueError, match=r"rename the folder .*home\?, or set DAGSTER_HOME"):
        Settings(lake=tmp_path / "lake")
