"""What breaks in the middle, or comes twice: commands in their own processes, each on a lake of its own."""

import os
import signal
import subprocess

from smi import PROJECT, SAMPLE, command, environment, rows, smi, until


def test_ctrl_c_ends_at_once_and_says_how_to_go_on(tmp_path):
    path = tmp_path / "lake"
    running = subprocess.Popen(
        command("backfill", "2025-03", "2025-05", "--sandbox", SAMPLE, "--lake", path),
        env=environment(),
        cwd=PROJECT,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    until(lambda: (path / "catalog.sqlite").exists() and rows(path, "select 1 from raw.collection"))
    os.killpg(running.pid, signal.SIGINT)
    said = running.communicate(timeout=60)[1]
    assert running.returncode == 130
    assert "run the same command to go on" in said
    assert "Traceback" not in said


def test_a_platform_that_dies_half_way_is_one_clear_error_and_resumes(tmp_path):
    path = tmp_path / "lake"
    server, settings = _serve("2025-06-10T06:00:00+08:00")
    server.kill()
    server.wait()
    broken = smi("collect", "2025-05", "--platform", "x", "--lake", path, "--registry", SAMPLE / "registry", **settings)
    assert broken.returncode == 1
    assert "Traceback" not in broken.stderr
    assert "x" in broken.stderr
    assert rows(path, "select count(*) from raw.x_posts") == [(0,)]
    server, settings = _serve("2025-06-10T06:00:00+08:00")
    try:
        whole = smi(
            "collect", "2025-05", "--platform", "x", "--lake", path, "--registry", SAMPLE / "registry", **settings
        )
    finally:
        server.terminate()
        server.wait()
    assert whole.returncode == 0, whole.stderr
    assert rows(path, "select status from raw.collection") == [("finished",)]


def test_two_months_may_be_collected_at_the_same_time(tmp_path):
    path = tmp_path / "lake"
    server, settings = _serve("2025-06-10T06:00:00+08:00")
    try:
        both = [
            subprocess.Popen(
                command("collect", month, "--lake", path, "--registry", SAMPLE / "registry"),
                env=environment(**settings),
                cwd=PROJECT,
                stderr=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                text=True,
            )
            for month in ("2025-04", "2025-05")
        ]
        ended = [(process.communicate()[1], process.returncode) for process in both]
    finally:
        server.terminate()
        server.wait()
    assert [code for _, code in ended] == [0, 0], ended
    got = rows(
        path, "select month::varchar, count(*) from raw.collection where status = 'finished' group by 1 order by 1"
    )
    assert got == [("2025-04-01", 5), ("2025-05-01", 5)]


def _serve(now):
    from smi_pipeline.sandbox.process import environment as settings_for  # noqa: PLC0415

    server = subprocess.Popen(
        command("sandbox", "serve", "--dataset", SAMPLE, "--now", now, "--port", "0"),
        env=environment(),
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        text=True,
    )
    line = server.stdout.readline().strip()
    server.stdout.close()
    return server, settings_for(line.removeprefix("sandbox "))
