"""What is shipped for deployment must keep up with what the project is."""

import configparser
import re

import dagster as dg
import psycopg
import pytest
import yaml
from servers import PASSWORD, postgres
from smi import PROJECT, SAMPLE, smi

from smi_pipeline.registry.models import PLATFORMS

DEPLOY = PROJECT / "deploy"
UNITS = sorted(DEPLOY.glob("systemd/*.service"))


def read(name):
    return yaml.safe_load((PROJECT / name).read_text())


def test_postgresql_changes_where_history_is_kept_and_nothing_else():
    own, other = read("dagster.yaml"), read("deploy/dagster.postgres.yaml")
    assert other.pop("storage")["postgres"]["postgres_db"]["password"] == {"env": "DAGSTER_POSTGRES_PASSWORD"}
    assert other == own


def test_history_is_kept_in_a_real_postgresql(servers, tmp_path, monkeypatch):
    servers.fresh("history")
    home = tmp_path / "home"
    home.mkdir()
    (home / "dagster.yaml").write_bytes((DEPLOY / "dagster.postgres.yaml").read_bytes())
    # The server listens on a socket alone: without a host libpq asks PGHOST, which may be its folder.
    named = {"HOST": "", "USER": "smi", "PASSWORD": PASSWORD, "DB": "history"}
    settings = {f"DAGSTER_POSTGRES_{name}": value for name, value in named.items()}
    settings |= {"DAGSTER_HOME": str(home), "PGHOST": servers.postgres}  # and no PGPORT: 5432
    where = ("--platform", "x", "--sandbox", SAMPLE, "--lake", tmp_path / "lake")
    done = smi("collect", "2025-05", *where, **settings)
    assert done.returncode == 0, done.stderr
    monkeypatch.delenv("PGPORT", raising=False)
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    with dg.DagsterInstance.from_config(str(home)) as instance:
        runs = instance.get_runs()
        assert [run.tags["dagster/partition"] for run in runs] == ["2025-05", "2025-05"]  # the two cuts
        [event] = instance.fetch_materializations(dg.AssetKey(["raw", "x"]), limit=1).records
        told = {name: entry.value for name, entry in event.asset_materialization.metadata.items()}
    assert told["dollars at most"] == 0.0  # the sandbox costs nothing
    assert told["quota records"] >= told["dagster/partition_row_count"] > 50
    assert told["quota units"] >= told["requests"] > 9
    assert not list(home.rglob("*.db"))
    assert not [path for path in home.rglob("*") if path.is_file() and PASSWORD in path.read_text(errors="replace")]


def test_history_is_kept_at_the_port_that_pgport_names(servers, tmp_path):
    """The socket's name has the port: at the usual one nobody listens there."""
    home, password = tmp_path / "home", {"password": PASSWORD, "user": "smi", "dbname": "postgres"}
    home.mkdir()
    (home / "dagster.yaml").write_bytes((DEPLOY / "dagster.postgres.yaml").read_bytes())
    with postgres(tmp_path / "postgres", port=5433) as folder:
        named = {"HOST": "", "USER": "smi", "PASSWORD": PASSWORD, "DB": "postgres"}
        settings = {f"DAGSTER_POSTGRES_{name}": value for name, value in named.items()}
        settings |= {"DAGSTER_HOME": str(home), "PGHOST": folder, "SMI_LAKE": str(tmp_path / "lake")}
        done = smi("prepare", **settings, PGPORT="5433")
        assert done.returncode == 0, done.stderr
        with psycopg.connect(host=folder, port=5433, **password) as connection:
            kept = connection.execute('select concurrency_key, "limit" from concurrency_limits').fetchall()
    assert dict(kept) == {f"api_{platform}": 1 for platform in PLATFORMS}


def test_all_three_processes_are_there_and_find_each_other():
    [server] = [entry["grpc_server"] for entry in read("deploy/workspace.yaml")["load_from"]]
    units = {unit.stem: unit.read_text() for unit in UNITS}
    services = read("deploy/compose.yaml")["services"]
    for command in (units["smi-code"], services["code"]["command"]):
        assert f"-h {server['host']} -p {server['port']} --location-name {server['location_name']}" in command
    for name, program in (("daemon", "dagster._daemon run"), ("webserver", "dagster_webserver")):
        assert f"-m {program}" in units[f"smi-{name}"]
        assert f"-m {program}" in services[name]["command"]
        assert "-w deploy/workspace.yaml" in units[f"smi-{name}"]


def test_nobody_but_this_machine_reaches_the_ui():
    assert "-h 127.0.0.1 -p 3000" in (DEPLOY / "systemd" / "smi-webserver.service").read_text()
    ports = [port for service in read("deploy/compose.yaml")["services"].values() for port in service.get("ports", [])]
    assert ports == ["127.0.0.1:3000:3000"]


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_a_unit_reads_its_secrets_from_a_file_and_may_write_only_its_folder(unit):
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str
    parser.read_string(unit.read_text())
    service = parser["Service"]
    assert (service["EnvironmentFile"], service["ReadWritePaths"]) == ("/srv/smi/smi.env", "/srv/smi")
    assert service["ProtectSystem"] == "strict"


def test_every_variable_of_the_postgresql_file_is_explained():
    """PGPORT is libpq's own and stands in a comment there: a field of Dagster's that names a variable needs it set."""
    variables = {*re.findall(r"env: (\w+)", (DEPLOY / "dagster.postgres.yaml").read_text()), "PGPORT"}
    assert len(variables) == 5
    for name in variables:
        assert name in (DEPLOY / "README.md").read_text(), name
        assert re.search(rf"^# {name}=", (PROJECT / ".env.example").read_text(), re.MULTILINE), name


def test_the_set_up_step_makes_tables_and_pools_before_anything_else_starts():
    unit, service = (
        (DEPLOY / "systemd" / "smi-setup.service").read_text(),
        read("deploy/compose.yaml")["services"]["setup"],
    )
    assert [line.rsplit("/bin/", 1)[1] for line in re.findall("^ExecStart=.*", unit, re.MULTILINE)] == [
        "python -m dagster instance migrate",
        "smi prepare",
    ]
    assert service["command"] == 'sh -c "python -m dagster instance migrate && smi prepare"'


def test_every_file_of_the_folder_is_explained():
    readme = (DEPLOY / "README.md").read_text()
    for path in DEPLOY.iterdir():
        if path.name != "README.md":
            assert f"({path.name})" in readme, path.name
    assert not re.search(r"0\.0\.0\.0", readme)
