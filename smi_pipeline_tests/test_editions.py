"""Editions as a newsroom lives them: published, restated three times for three reasons, and each made again to the byte."""

import csv
import hashlib
import json
import re
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from smi import M1, SAMPLE, smi, smi_each

from smi_pipeline.defs.inputs import current_inputs
from smi_pipeline.defs.publication import publish, write_draft, write_month
from smi_pipeline.defs.rebuild import rebuild
from smi_pipeline.lake.connection import Lake, LakeError
from smi_pipeline.lake.editions import draft, edition_snapshots, editions, published
from smi_pipeline.lake.history import at_snapshot
from smi_pipeline.months import Month
from smi_pipeline.registry.load import read_registry
from smi_pipeline.report.files import EditionError
from smi_pipeline.sandbox.process import SandboxProcess
from smi_pipeline.sandbox.process import environment as sandbox_settings
from smi_pipeline.settings import Settings

APRIL, MAY = Month.parse("2025-04"), Month.parse("2025-05")
DATA, EXPERTS, METHOD = (
    "<b>X</b> had not answered whole",
    "two raters corrected their files",
    "the method weighs videos more",
)


def files(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def table(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def told(lake, month=MAY):
    return json.loads((lake.path / "reports" / month.key / "report.json").read_text(encoding="utf-8"))


def louder(folder):
    """The sample, but the posts of Wuhan on X are liked a hundred times as much."""
    shutil.copytree(SAMPLE, folder)
    with (SAMPLE / "posts.csv").open(encoding="utf-8", newline="") as file:
        posts = list(csv.DictReader(file))
    accounts = {a.platform_account_id for a in read_registry(SAMPLE / "registry").accounts if a.city_id == "420100"}
    for post in posts:
        if post["platform"] == "x" and post["account_id"] in accounts and post["likes"]:
            post["likes"] = str(int(post["likes"]) * 100)
    with (folder / "posts.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, posts[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(posts)
    return folder


def ratings():
    cities = [city.city_id for city in read_registry(SAMPLE / "registry").cities]
    scores = ((rater, city, 1 + place) for place, city in enumerate(cities) for rater in "ABC")
    return "rater,city_id,criterion,score\n" + "".join(f"{r},{c},overall,{min(s, 10)}\n" for r, c, s in scores)


@pytest.fixture(scope="module")
def restated(tmp_path_factory, whole):
    """May, published; restated with data collected anew, with expert scores, and by another method. And its first files."""
    folder = tmp_path_factory.mktemp("restated")
    path, dataset, method = folder / "lake", louder(folder / "louder"), folder / "own.toml"
    shutil.copytree(whole, path)
    run, lake = ("run", "2025-05"), ("--lake", path)
    smi_each([("publish", "2025-05", *lake)], measured=True)
    first = files(path / "reports" / "2025-05")
    with SandboxProcess(dataset, now=datetime(2025, 6, 12, tzinfo=UTC)) as server:
        again = (*run, "--force", "--platform", "x", *lake)
        commands = [again, ("restate", "2025-05", "--reason", DATA, *lake)]
        smi_each(commands, measured=True, **sandbox_settings(server.base_url))
    (path / "inbox" / "expert_scores").mkdir(parents=True)
    (path / "inbox" / "expert_scores" / "2025-05.csv").write_text(ratings(), encoding="utf-8")
    smi_each([(*run, *lake), ("restate", "2025-05", "--reason", EXPERTS, *lake)])
    own = M1.read_text(encoding="utf-8").replace('version = "m1"', 'version = "own"')
    own = own.replace("[groups.interactive]\nweight = 0.40", "[groups.interactive]\nweight = 0.05")
    method.write_text(
        own.replace("[groups.utilize]\nweight = 0.40", "[groups.utilize]\nweight = 0.75"), encoding="utf-8"
    )
    smi_each([(*run, *lake), ("restate", "2025-05", "--reason", METHOD, *lake)], SMI_METHOD=str(method))
    return Lake.of(path), first


@pytest.fixture
def drafted(whole, tmp_path):
    """A copy of a lake whose April and May are drafts."""
    shutil.copytree(whole, tmp_path / "lake")
    return Lake.of(tmp_path / "lake")


def inputs(lake):
    return current_inputs(lake, Settings(lake=lake.path))


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_every_edition_is_made_again_byte_for_byte_after_three_later_restatements(restated, number):
    lake, _ = restated
    with lake.read() as cursor:
        edition = published(cursor, MAY.first, number)
    again = rebuild(lake, edition)
    assert (again.differing_tables, again.differing_files) == ((), ())
    kept = files(lake.path / "reports" / "editions" / "2025-05" / str(number))
    assert dict(again.files) == {name: content for name, content in kept.items() if name != "edition.json"}


def test_the_first_editions_files_are_still_there_and_the_command_makes_the_same(restated, tmp_path):
    lake, first = restated
    assert files(lake.path / "reports" / "editions" / "2025-05" / "1") == first
    done = smi("edition", "rebuild", "2025-05", "--number", "1", "--to", tmp_path / "made", "--lake", lake.path)
    assert done.returncode == 0, done.stderr
    assert re.search(r"\d\d tables and \d\d+ files are what was published, byte for byte", done.stdout)
    assert files(tmp_path / "made") == {name: content for name, content in first.items() if name != "edition.json"}


def test_each_edition_rests_on_other_inputs_and_says_which(restated):
    """A restatement's cause is read from what was recorded, not from what somebody wrote into the reason."""
    lake, _ = restated
    with lake.read() as cursor:
        found = editions(cursor, MAY.first)
    assert [(one.number, one.state, one.reason) for one in found] == [
        (1, "published", None),
        (2, "published", DATA),
        (3, "published", EXPERTS),
        (4, "published", METHOD),
    ]
    causes = [before.basis.differences(after.basis) for before, after in pairwise(found)]
    assert causes == [
        {"data": ["2025-05.x.0003"]},
        {"status": ["final"], "experts": ["2025-05"]},
        {"method": ["own"]},
    ]


def test_a_restatement_tells_who_moved_and_from_where(restated):
    """Only X was collected anew: no other platform's scores may move."""
    lake, _ = restated
    kept = lake.path / "reports" / "editions" / "2025-05"
    before, after = (
        {(row["index_name"], row["city_id"]): row for row in table(kept / number / "rankings.csv")} for number in "12"
    )
    moved = table(kept / "2" / "changes.csv")
    assert {row["index_name"] for row in moved} == {"composite", "x"}
    by_hand = {
        key
        for key in before
        if before[key]["rank"] != after[key]["rank"]
        or (
            before[key]["score"] != after[key]["score"]
            and abs(float(before[key]["score"]) - float(after[key]["score"])) > 1e-9
        )
    }
    assert {(row["index_name"], row["city_id"]) for row in moved} == by_hand
    [wuhan] = [row for row in moved if (row["index_name"], row["city_id"]) == ("x", "420100")]
    assert float(wuhan["score"]) > float(wuhan["score_before"])
    assert (wuhan["rank_before"], wuhan["rank"]) == (before["x", "420100"]["rank"], after["x", "420100"]["rank"])


def test_the_reason_is_printed_in_both_languages_and_stays_text(restated):
    lake, _ = restated
    kept = lake.path / "reports" / "editions" / "2025-05" / "2"
    for name in ("index.html", "index.en.html"):
        page = (kept / name).read_text(encoding="utf-8")
        assert "&lt;b&gt;X&lt;/b&gt; had not answered whole" in page
        assert DATA not in page


def test_an_earlier_editions_tables_stay_readable(restated):
    """As `smi export` wrote them then: the checksum of the record is that of the JSON export."""
    lake, _ = restated
    with lake.read() as cursor:
        first = published(cursor, MAY.first, 1)
        assert {first.basis.snapshot, first.tables_snapshot} <= set(edition_snapshots(cursor))
    then = at_snapshot(lake, first.tables_snapshot)
    with then.read() as cursor:
        earlier = cursor.execute("select count(*) from index.composite where method_version = 'm1'").fetchone()
    assert earlier[0] > 0
    done = smi("export", "index.composite", "--month", "2025-05", "--format", "json", "--lake", lake.path)
    with lake.read() as cursor:
        newest = published(cursor, MAY.first)
    assert (
        hashlib.sha256(done.stdout.encode()).hexdigest()
        == newest.tables["index.composite"]
        != first.tables["index.composite"]
    )
    with pytest.raises(LakeError, match="nothing can be written"), then.write("no"):
        pass


def test_the_archive_leads_to_the_newest_edition_and_to_those_before_it(restated):
    lake, _ = restated
    page = (lake.path / "reports" / "index.html").read_text(encoding="utf-8")
    assert re.findall(r'href="(editions/[^"]+)"', page) == [f"editions/2025-05/{n}/index.html" for n in (1, 2, 3)]
    assert "第4版" in page
    assert "草稿" in page  # April


def test_list_show_and_status_say_what_is_published(restated):
    lake, _ = restated
    listed = smi("edition", "list", "--lake", lake.path, COLUMNS="160").stdout
    assert len(re.findall(r"2025-05 .*published", listed)) == 4
    assert DATA in listed
    shown = json.loads(smi("edition", "show", "2025-05", "--number", "2", "--json", "--lake", lake.path).stdout)
    assert (shown["number"], shown["reason"], shown["method_version"]) == (2, DATA, "m1")
    assert "edition 4" in smi("status", "--lake", lake.path, COLUMNS="200").stdout
    missing = smi("edition", "show", "2025-05", "--number", "9", "--lake", lake.path)
    assert (missing.returncode, missing.stdout) == (1, "")
    assert "there is no published edition 9 of 2025-05" in missing.stderr


def test_a_published_month_that_derives_the_same_changes_nothing(drafted):
    publish(drafted, MAY)
    before, snapshot = files(drafted.path / "reports"), drafted.snapshot()
    written = write_draft(drafted, MAY, inputs(drafted))
    assert (written.draft, written.published) == (None, 1)
    assert (files(drafted.path / "reports"), drafted.snapshot()) == (before, snapshot)


@pytest.mark.long
def test_a_later_run_of_a_published_month_writes_its_draft_elsewhere_and_says_so(drafted):
    publish(drafted, MAY)
    before = files(drafted.path / "reports")
    hand_in(drafted)
    done = smi("run", "2025-05", "--lake", drafted.path)
    assert done.returncode == 0, done.stderr
    assert "edition 1 is published and stays as it is" in done.stdout
    assert str(drafted.path / "drafts" / "2025-05" / "index.html") in done.stdout
    assert files(drafted.path / "reports") == before
    assert "2025年5月第2版草稿，尚未发布。" in (drafted.path / "drafts" / "2025-05" / "index.html").read_text()


def hand_in(lake):
    (lake.path / "inbox" / "expert_scores").mkdir(parents=True, exist_ok=True)
    (lake.path / "inbox" / "expert_scores" / "2025-05.csv").write_text(ratings(), encoding="utf-8")


@pytest.mark.long
def test_a_final_edition_follows_a_provisional_one_without_a_reason(drafted):
    """Every month is provisional first: that its final edition comes is no restatement."""
    publish(drafted, MAY)
    hand_in(drafted)
    smi_each([("run", "2025-05", "--lake", drafted.path), ("publish", "2025-05", "--lake", drafted.path)])
    with drafted.read() as cursor:
        second = published(cursor, MAY.first)
    assert (second.number, second.basis.status, second.reason) == (2, "final", None)
    assert told(drafted)["revision"]["draft"] is False
    assert not (drafted.path / "drafts" / "2025-05").exists()


def test_what_may_not_be_published_is_refused_with_what_to_do(drafted):
    before = drafted.snapshot()
    with pytest.raises(EditionError, match="not published yet, so nothing is restated; `smi publish 2025-05`"):
        publish(drafted, MAY, reason="why not")
    with pytest.raises(EditionError, match=r"2025-03 has no draft to publish; `smi run 2025-03`"):
        publish(drafted, Month.parse("2025-03"))
    assert drafted.snapshot() == before
    publish(drafted, MAY)
    for reason in (None, "again"):
        with pytest.raises(EditionError, match="derives to edition 1, which is published; there is nothing to publish"):
            publish(drafted, MAY, reason=reason)
    spoil(drafted)
    write_draft(drafted, MAY, inputs(drafted))
    with pytest.raises(EditionError, match=r"`smi restate 2025-05 --reason TEXT` publishes its draft as edition 2"):
        publish(drafted, MAY)
    with pytest.raises(EditionError, match="say why 2025-05 is published again"):
        publish(drafted, MAY, reason=" \n ")


def spoil(lake):
    with lake.write("a score nobody can derive") as transaction:
        transaction.cursor.execute(
            "update marts.rankings set score = score + 1 where month = '2025-05-01' and index_name = 'x'"
        )


@pytest.mark.long
def test_a_draft_that_its_inputs_do_not_give_is_not_published(drafted):
    spoil(drafted)
    write_draft(drafted, MAY, inputs(drafted))
    before = files(drafted.path / "reports"), drafted.snapshot()
    with pytest.raises(EditionError, match=r"is not what its inputs give \(marts.rankings, cards/"):
        publish(drafted, MAY)
    assert (files(drafted.path / "reports"), drafted.snapshot()) == before


@pytest.mark.long
def test_a_draft_that_turns_out_to_be_the_edition_is_dropped(drafted):
    publish(drafted, MAY)
    spoil(drafted)
    assert write_draft(drafted, MAY, inputs(drafted)).draft == 2
    with drafted.write("and back") as transaction:
        transaction.cursor.execute(
            "update marts.rankings set score = p.score from index.platform_index p where rankings.month = p.month"
            " and index_name = p.platform and rankings.city_id = p.city_id"
        )
    assert write_draft(drafted, MAY, inputs(drafted)).draft is None
    with drafted.read() as cursor:
        assert draft(cursor, MAY.first) is None
    assert not (drafted.path / "drafts" / "2025-05").exists()


@pytest.mark.long
def test_a_publication_killed_before_its_last_step_is_completed_by_the_next_run(drafted):
    """The record is there, the month's folder is still the draft."""
    folder = drafted.path / "reports" / "2025-05"
    publish(drafted, MAY)
    whole = files(folder)
    for change in ("equal", "other"):
        (folder / "edition.json").unlink()
        (folder / "index.html").write_text("half")
        if change == "other":
            spoil(drafted)
        write_draft(drafted, MAY, inputs(drafted))
        assert files(folder) == whole, change


def test_a_rebuild_names_what_differs_and_what_it_lacks(drafted):
    edition = publish(drafted, MAY)
    other = replace(
        edition,
        tables=edition.tables | {"index.composite": "0"},
        files=edition.files | {"index.html": "0", "gone.txt": "0"},
    )
    again = rebuild(drafted, other)
    assert (again.differing_tables, again.differing_files) == (("index.composite",), ("gone.txt", "index.html"))
    with pytest.raises(LakeError, match="has no snapshot 99999: it was expired"):
        rebuild(drafted, replace(edition, basis=replace(edition.basis, snapshot=99_999)))
    with pytest.raises(EditionError, match="run with SMI_ZONE=Asia/Tokyo"):
        rebuild(drafted, replace(edition, basis=replace(edition.basis, zone="Asia/Tokyo")))


@pytest.mark.parametrize(("setting", "numbers"), [("by_hand", []), ("final", []), ("provisional", [1])])
def test_a_setting_publishes_a_provisional_month_or_waits_for_the_final_one(drafted, setting, numbers):
    written = write_month(drafted, MAY, inputs(drafted), setting)
    with drafted.read() as cursor:
        assert [one.number for one in editions(cursor, MAY.first) if one.state == "published"] == numbers
    assert written.published == (1 if numbers else None)
    assert (drafted.path / "reports" / "2025-05" / "edition.json").exists() == bool(numbers)
