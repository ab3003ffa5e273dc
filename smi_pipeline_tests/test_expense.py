"""What a collection costs is said before it is made, and where nothing limits it a person agrees first."""

import csv
import os
import pty
import subprocess

import pytest
from smi import PROJECT, command, environment, smi

X = {"SMI_X_BEARER_TOKEN": "a-token-of-nobody", "SMI_X_BASE_URL": "http://x.invalid"}


@pytest.fixture
def registry(tmp_path):
    """138 X accounts of as many cities."""
    folder = tmp_path / "registry"
    folder.mkdir()
    with (folder / "cities.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["city_id", "name_zh", "name_en"])
        rows.writerows([n, f"城{n}", f"City {n}"] for n in range(138))
    with (folder / "accounts.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["city_id", "platform", "handle"])
        rows.writerows([n, "x", f"city_{n}"] for n in range(138))
    return folder


def arguments(tmp_path, registry, verb, *more):
    months = ["2025-05", "2025-05"] if verb == "backfill" else ["2025-05"]
    return [verb, *months, "--platform", "x", "--lake", tmp_path / "lake", "--registry", registry, *more]


@pytest.mark.parametrize("verb", ["run", "collect", "backfill"])
def test_without_a_terminal_nothing_that_costs_is_requested_unless_it_is_agreed_to(verb, tmp_path, registry):
    """138 users at a cent and sixty posts each at half a cent: 1.38 + 41.40 dollars."""
    done = smi(*arguments(tmp_path, registry, verb), **X)
    assert done.returncode == 1
    assert "a month of 138 accounts: $42.78" in done.stderr
    assert "no budget is set (SMI_X_USD_A_MONTH)" in done.stderr
    assert "nothing was requested: give --yes, or set a budget" in done.stderr


def test_yes_and_a_budget_go_on_without_a_question(tmp_path, registry):
    for more, settings in ((["--yes"], X), ([], X | {"SMI_X_USD_A_MONTH": "50"})):
        done = smi(*arguments(tmp_path, registry, "collect", *more), **settings)
        assert "nothing was requested" not in done.stderr
        assert "cannot connect to http://x.invalid" in done.stderr


def test_on_a_terminal_a_person_is_asked_and_may_decline(tmp_path, registry):
    there, here = pty.openpty()
    with subprocess.Popen(
        command(*arguments(tmp_path, registry, "collect")),
        env=environment(**X), cwd=PROJECT, stdin=here, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        os.write(there, b"n\n")
        said = process.communicate(timeout=300)[1]
    os.close(there)
    os.close(here)
    assert process.returncode == 1
    assert "$42.78" in said
    assert "go on?" in said
    assert "cannot connect" not in said
