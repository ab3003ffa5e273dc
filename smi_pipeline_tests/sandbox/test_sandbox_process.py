"""The sandbox as a process: it announces itself, keeps its clock, counts, refuses clearly, and always stops."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import textwrap
import time
from datetime import UTC, datetime, timedelta, timezone
from email.utils import parsedate_to_datetime

import httpx
import pytest
from smi import SAMPLE

from smi_pipeline.sandbox.__main__ import main
from smi_pipeline.sandbox.process import SandboxError, SandboxProcess, environment

COMMAND = [sys.executable, "-m", "smi_pipeline.sandbox"]


def date_of(answer):
    return parsedate_to_datetime(answer.headers["date"])


def test_every_answer_carries_the_sandboxs_clock(sandbox):
    instant = datetime(2016, 2, 29, 23, 59, tzinfo=UTC)
    sandbox.process.set_clock(instant)
    answers = [sandbox.x("users/1"), sandbox.graph(""), sandbox.get("/nowhere"), sandbox.get("/_sandbox/health")]
    answers.append(sandbox.http.request("DELETE", "/_sandbox/clock"))

    assert [answer.status_code for answer in answers] == [200, 400, 404, 200, 404]
    for answer in answers:
        assert answer.headers.get_list("date") == [answer.headers["date"]]
        assert instant <= date_of(answer) < instant + timedelta(minutes=1)


def test_the_clock_runs_on_in_real_time_and_can_be_read_and_set(sandbox):
    noon = datetime(2025, 6, 3, 12, tzinfo=timezone(timedelta(hours=8)))
    told = sandbox.http.post("/_sandbox/clock", json={"now": noon.isoformat()}).json()
    time.sleep(1.1)
    later = datetime.fromisoformat(sandbox.get("/_sandbox/clock").json()["now"])

    assert told["now"].startswith("2025-06-03T04:00:00.")
    assert timedelta(seconds=1) <= later - noon < timedelta(minutes=1)
    for wrong in ({"now": "2025-06-03T12:00:00"}, {"now": "noon"}, {}, []):
        answer = sandbox.http.post("/_sandbox/clock", json=wrong)
        assert answer.status_code == 400
        assert "expected" in answer.json()["error"]


def test_requests_are_counted_per_platform_and_can_be_reset(sandbox):
    sandbox.process.reset_requests()
    sandbox.x("users/1")
    sandbox.graph("sbx_page")
    sandbox.graph("sbx_page")
    sandbox.discover("username(sbx_ig){id}")
    sandbox.token()

    assert sandbox.process.requests() == {"facebook": 2, "x": 1, "instagram": 1, "youtube": 0, "tiktok": 1}
    sandbox.process.reset_requests()
    assert sum(sandbox.process.requests().values()) == 0


def test_the_variables_point_at_the_sandbox_with_accepted_credentials(sandbox):
    told = environment(sandbox.process.base_url)

    asked = [
        httpx.get(
            f"{told['SMI_FACEBOOK_BASE_URL']}/sbx_page",
            params={"access_token": told["SMI_FACEBOOK_TOKEN"]},
            trust_env=False,
        ),
        httpx.get(
            f"{told['SMI_INSTAGRAM_BASE_URL']}/{told['SMI_INSTAGRAM_USER_ID']}",
            params={"access_token": told["SMI_INSTAGRAM_TOKEN"], "fields": "business_discovery.username(sbx_ig){id}"},
            trust_env=False,
        ),
        httpx.get(
            f"{told['SMI_YOUTUBE_BASE_URL']}/channels",
            params={"key": told["SMI_YOUTUBE_API_KEY"], "part": "id", "forHandle": "sbx_channel"},
            trust_env=False,
        ),
        httpx.get(
            f"{told['SMI_X_BASE_URL']}/2/users/42",
            headers={"Authorization": f"Bearer {told['SMI_X_BEARER_TOKEN']}"},
            trust_env=False,
        ),
        httpx.post(
            f"{told['SMI_TIKTOK_BASE_URL']}/v2/oauth/token/",
            data={
                "client_key": told["SMI_TIKTOK_CLIENT_KEY"],
                "client_secret": told["SMI_TIKTOK_CLIENT_SECRET"],
                "grant_type": "client_credentials",
            },
            trust_env=False,
        ),
    ]
    assert [answer.status_code for answer in asked] == [200] * 5
    assert "SMI_FACEBOOK_APP_SECRET" not in told


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_prints_one_line_and_ends_cleanly_on_a_signal(number):
    process = subprocess.Popen(
        [*COMMAND, "--dataset", str(SAMPLE), "--now", "2025-06-03T06:00:00+08:00"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    line = process.stdout.readline()
    answer = httpx.get(line.split()[1] + "/_sandbox/health", trust_env=False)
    process.send_signal(number)
    rest, errors = process.communicate(timeout=10)

    assert line.startswith("sandbox http://127.0.0.1:")
    assert date_of(answer).date().isoformat() == "2025-06-02"
    assert (process.returncode, rest, errors) == (0, "", "")


def test_a_port_in_use_is_one_clear_line_with_the_remedy():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(SandboxError) as refused:
            SandboxProcess(SAMPLE, port=port).start()

    assert f"127.0.0.1:{port}" in str(refused.value)
    assert "--port" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_bad_data_set_is_one_clear_line(tmp_path):
    ended = subprocess.run(
        [*COMMAND, "--dataset", str(tmp_path / "no such folder")], capture_output=True, text=True, check=False
    )

    assert ended.returncode == 1
    assert ended.stdout == ""
    assert ended.stderr.count("\n") == 1
    assert "no such folder: expected a directory" in ended.stderr


@pytest.mark.parametrize("wrong", [["--now", "2025-06-03"], ["--now", "soon"], ["--port", "70000"], ["--port", "x"]])
def test_a_wrong_option_is_wrong_usage(wrong, capsys):
    with pytest.raises(SystemExit) as refused:
        main(["--dataset", str(SAMPLE), *wrong])

    assert refused.value.code == 2
    assert "expected" in capsys.readouterr().err


def test_it_stops_when_the_process_that_started_it_is_killed():
    starter = textwrap.dedent(
        f"""
        import time
        from smi_pipeline.sandbox.process import SandboxProcess
        print(SandboxProcess({str(SAMPLE)!r}).start().base_url, flush=True)
        time.sleep(60)
        """
    )
    process = subprocess.Popen([sys.executable, "-c", starter], stdout=subprocess.PIPE, text=True)
    base_url = process.stdout.readline().strip()
    assert httpx.get(f"{base_url}/_sandbox/health", trust_env=False).status_code == 200
    process.kill()
    process.communicate()

    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and listens(base_url):
        time.sleep(0.05)
    assert not listens(base_url)


def listens(base_url):
    try:
        return httpx.get(f"{base_url}/_sandbox/health", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


def test_stopping_twice_is_harmless_and_leaves_nothing_listening():
    with SandboxProcess(SAMPLE) as process:
        base_url = process.base_url
        process.stop()
    with pytest.raises(httpx.ConnectError):
        httpx.get(base_url, trust_env=False)
