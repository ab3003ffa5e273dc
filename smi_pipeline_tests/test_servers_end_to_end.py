"""The whole way once more, with the lake in a real PostgreSQL and a real S3-compatible store."""

import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest
from polars.testing import assert_frame_equal
from servers import KEY, PASSWORD, SECRET, storage
from smi import SAMPLE, smi, smi_each, tables

from smi_pipeline.lake.connection import Lake


@pytest.fixture(scope="module")
def there(servers, tmp_path_factory):
    """The months of `whole`, and the settings that lead to them."""
    settings = servers.fresh("endtoend")
    path = tmp_path_factory.mktemp("there") / "lake"
    sandbox = ("--sandbox", SAMPLE, "--lake", path)
    smi_each([("collect", "2025-03", *sandbox), ("backfill", "2025-04", "2025-05", *sandbox)], **settings)
    return path, settings


def test_both_kinds_of_lake_end_in_the_same_tables(whole, there):
    path, settings = there
    here, elsewhere = tables(Lake.of(whole)), tables(Lake.of(path, storage(settings)))
    assert here.keys() == elsewhere.keys()
    assert len(here) > 15
    for name, frame in here.items():
        assert_frame_equal(frame.sort(frame.columns), elsewhere[name].sort(frame.columns))


def test_nothing_of_it_is_in_the_folder_but_reports_and_state(there):
    path, _ = there
    kept = {child.name for child in path.iterdir()}
    assert "reports" in kept
    assert not kept & {"catalog.sqlite", "tables"}


def test_neither_password_nor_key_is_written_anywhere(there, servers):
    path, _ = there
    for secret in (PASSWORD, KEY, SECRET):
        found = subprocess.run(
            ["grep", "-rlF", secret, path, servers.buckets], capture_output=True, text=True, check=False
        )
        assert (found.stdout, found.returncode) == ("", 1)


def test_a_wrong_password_is_named_and_not_shown(there):
    path, settings = there
    done = smi("export", "raw.x_posts", "--lake", path, **settings | {"SMI_CATALOG_PASSWORD": "SMI_CANARY_wrong"})
    assert done.returncode == 1
    assert "SMI_CATALOG_PASSWORD" in done.stderr
    assert "Traceback" not in done.stderr
    assert "CANARY" not in done.stderr


EXPORT, CHECK = ("export", "raw.x_posts"), ("lake", "check")
COLLECT = ("collect", "2025-05", "--platform", "x", "--sandbox", SAMPLE)


@pytest.mark.parametrize(
    ("command", "wrong", "said"),
    [
        (EXPORT, {"SMI_S3_KEY_ID": "SMI_CANARY_k"}, "refuses the keys (InvalidAccessKeyId: "),
        (COLLECT, {"SMI_S3_SECRET": "SMI_CANARY_s"}, "refuses the keys (SignatureDoesNotMatch: "),
        (CHECK, {"SMI_S3_SECRET": "SMI_CANARY_s"}, "refuses the keys (SignatureDoesNotMatch: "),
        (EXPORT, {"SMI_DATA_PATH": "s3://elsewhere/endtoend"}, "has no such bucket"),
        (COLLECT, {"SMI_DATA_PATH": "s3://elsewhere/endtoend"}, "has no such bucket"),
        (EXPORT, {"SMI_S3_ENDPOINT": "http://127.0.0.1:1"}, "cannot be reached"),
        (CHECK, {"SMI_S3_ENDPOINT": "http://127.0.0.1:1"}, "cannot be reached"),
    ],
)
def test_a_store_that_answers_otherwise_names_the_setting_and_calls_no_file_broken(
    there, tmp_path, command, wrong, said
):
    path, settings = there
    where = tmp_path / "new" if command == COLLECT else path
    done = smi(*command, "--lake", where, **settings | wrong)
    assert done.returncode == 1
    line = " ".join(done.stderr.split())
    assert f"the object store of the lake's files {said}" in line
    assert next(iter(wrong)) in line
    assert "smi lake restore" not in line
    assert "Traceback" not in line
    assert "CANARY" not in line


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"SMI_CATALOG": "sqlite:/tmp/catalog.sqlite"}, "SMI_CATALOG is to be `postgres:`"),
        ({"SMI_CATALOG": "postgres:host=db password=SMI_CANARY_inside"}, "SMI_CATALOG_PASSWORD"),
        ({"SMI_CATALOG": "postgres://smi:SMI_CANARY_inside@db/lake"}, "SMI_CATALOG_PASSWORD"),
        ({"SMI_DATA_PATH": "s3://bucket", "SMI_S3_KEY_ID": "k"}, "SMI_S3_SECRET is not set"),
        ({"SMI_CATALOG": "postgres:host=127.0.0.1 port=1 dbname=lake"}, "cannot be reached"),
    ],
)
def test_settings_that_lead_nowhere_are_one_clear_line(tmp_path, settings, said):
    done = smi("status", "--lake", tmp_path / "lake", **settings)
    assert done.returncode == 1
    assert said in " ".join(done.stderr.split())
    assert "CANARY" not in done.stderr
    assert len(done.stderr.strip().splitlines()) <= 3


def test_a_folder_whose_name_cannot_be_a_schema_is_refused(servers, tmp_path):
    done = smi("status", "--lake", tmp_path / "My Lake", **servers.fresh("refused"))
    assert done.returncode == 1
    assert "lower-case letters" in " ".join(done.stderr.split())


def test_two_hosts_that_collect_the_same_month_at_once_ask_for_it_once(servers, tmp_path):
    """Two folders of one name are two hosts with one lake."""
    settings = servers.fresh("twohosts")
    hosts = [tmp_path / host / "lake" for host in ("one", "two")]

    def collect(path):
        return smi("collect", "2025-05", "--platform", "x", "--sandbox", SAMPLE, "--lake", path, **settings)

    with ThreadPoolExecutor() as pool:
        done = list(pool.map(collect, hosts))
    assert [one.returncode for one in done] == [0, 0], [one.stderr for one in done]
    with Lake.of(hosts[0], storage(settings)).read() as cursor:
        finished = cursor.execute("select cut, count(*) from raw.collection group by cut order by cut").fetchall()
        doubled = cursor.execute(
            "select count(*) from (select collection_id, id from raw.x_posts group by all having count(*) > 1)"
        ).fetchone()
    assert finished == [("final", 1), ("provisional", 1)]
    assert doubled == (0,)
