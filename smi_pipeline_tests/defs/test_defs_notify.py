"""Somebody is told when a month does not come: once, in words, and never with a secret in them."""

import json
import threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer

import dagster as dg
import pytest

from smi_pipeline.definitions import defs
from smi_pipeline.lake.connection import Lake
from smi_pipeline.lake.notices import Notice, open_notices, tell, told
from smi_pipeline.settings import settings

CANARY = "SMI_CANARY_token_of_x"


@pytest.fixture
def instance():
    with dg.DagsterInstance.ephemeral() as one:
        yield one


@pytest.fixture
def chat(monkeypatch):
    """A chat on loopback: the texts it got, and the status it answers with."""

    class Chat(HTTPServer):
        status, texts, answer = 200, [], b"ok"

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            text = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["text"]
            if self.server.status == 200 and self.server.answer == b"ok":
                self.server.texts.append(text if isinstance(text, str) else text["content"])
            self.send_response(self.server.status)
            self.end_headers()
            self.wfile.write(self.server.answer)

        def log_message(self, *_):
            """Nothing on the terminal."""

    with Chat(("127.0.0.1", 0), Handler) as server:
        server.texts = []
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("SMI_NOTIFY_WEBHOOK", f"http://127.0.0.1:{server.server_port}/SMI_CANARY_hook")
        monkeypatch.setenv("SMI_X_BEARER_TOKEN", CANARY)
        monkeypatch.setenv("SMI_UI_URL", "https://dagster.example/")
        settings.cache_clear()
        yield server
        server.shutdown()
    settings.cache_clear()


@pytest.fixture
def lake(tmp_path):
    return Lake.of(tmp_path / "lake")


@pytest.fixture
def sensor(instance, lake):
    """Ticks of the sensor one after another, the cursor carried over as the daemon does."""
    repository, cursor = defs().get_repository_def(), {"now": None}

    def tick():
        context = dg.build_sensor_context(
            instance=instance, repository_def=repository, cursor=cursor["now"], resources={"lake": lake}
        )
        result = repository.get_sensor_def("notify").evaluate_tick(context)
        cursor["now"] = result.cursor
        return result.skip_message

    tick()
    return tick


MONTHS = dg.StaticPartitionsDefinition(["2025-04", "2025-05"])


def run(instance, *, fails=(), holds=True, month="2025-05", **tags):
    """A run of a job called collect: two platforms, those in `fails` failing with words that hold a secret."""

    def platform(name):
        @dg.asset(key=["raw", name], name=None, partitions_def=MONTHS)
        def raw():
            if name in fails:
                raise dg.Failure(f"{name}: 503 with token={CANARY}", allow_retries=False)

        return raw

    @dg.asset_check(asset=dg.AssetKey(["raw", "youtube"]), name="plausible")
    def plausible():
        return dg.AssetCheckResult(passed=holds, severity=dg.AssetCheckSeverity.WARN, metadata={"offenders": 2})

    made = dg.Definitions(
        assets=[platform("x"), platform("youtube")],
        asset_checks=[plausible],
        jobs=[dg.define_asset_job("collect")],
        executor=dg.in_process_executor,
    )
    made.resolve_job_def("collect").execute_in_process(
        instance=instance, partition_key=month, raise_on_error=False, tags={f"smi/{k}": v for k, v in tags.items()}
    )


def test_a_platform_that_fails_ten_times_is_told_once_and_its_recovery_once(instance, sensor, chat, lake):
    for attempt in range(1, 11):
        run(instance, fails=["x"], attempt=str(attempt))
        sensor()
    [text] = chat.texts
    assert text.startswith("[FAILED] collect 2025-05: raw/x failed\nx: 503 with token=[redacted]\n")
    assert "https://dagster.example/runs/" in text
    run(instance, attempt="11")
    sensor()
    sensor()
    assert chat.texts[1:] == ["[mended] collect 2025-05: done at try 11"]
    assert open_notices(lake) == []


def test_another_month_or_another_platform_is_another_cause(instance, sensor, chat):
    run(instance, fails=["x"])
    run(instance, fails=["x", "youtube"])
    run(instance, fails=["x"], month="2025-04")
    sensor()
    [text] = chat.texts  # one message for all that is new
    assert [line for line in text.splitlines() if line.startswith("[")] == [
        "[FAILED] collect 2025-05: raw/x failed",
        "[FAILED] collect 2025-05: raw/youtube failed",
        "[FAILED] collect 2025-04: raw/x failed",
    ]


def test_a_check_that_does_not_hold_is_told_until_it_holds_again(instance, sensor, chat):
    run(instance, holds=False)
    sensor()
    run(instance, holds=False)
    sensor()
    run(instance)
    sensor()
    assert [text.splitlines()[0] for text in chat.texts] == [
        "[warning] raw/youtube plausible 2025-05 does not hold",
        "[mended] raw/youtube plausible 2025-05: holds again",
    ]
    assert "offenders: 2" in chat.texts[0]


def test_who_sits_at_the_terminal_has_seen_it_already(instance, sensor, chat):
    run(instance, fails=["x"], started_by="command line")
    sensor()
    assert chat.texts == []


def test_a_chat_that_is_out_of_reach_gets_everything_later_and_nothing_twice(instance, sensor, chat):
    chat.status = 503
    run(instance, fails=["x"])
    assert "answered 503" in sensor()
    run(instance, fails=["youtube"])
    sensor()
    chat.status = 200
    assert "2 lines sent" in sensor()
    sensor()
    assert [text.count("[FAILED]") for text in chat.texts] == [2]


def test_what_happened_before_the_sensor_was_switched_on_is_not_news(instance, lake, chat, request):
    run(instance, fails=["x"])
    tell(lake, Notice(cause="old", kind="news", title="last year"), datetime.now(UTC))
    tick = request.getfixturevalue("sensor")
    tick()
    assert chat.texts == []


def test_no_secret_is_in_the_file_that_is_kept(instance, sensor, chat, lake):
    run(instance, fails=["x"])
    sensor()
    kept = (lake.path / "notices.jsonl").read_text()
    assert "x: 503" in kept
    assert "CANARY" not in kept
    assert [line.kind for line in told(lake)] == ["failure"]


def test_a_chat_that_refuses_with_a_200_gets_everything_later(instance, sensor, chat):
    chat.answer = b'{"errcode":310000,"errmsg":"keywords not in content"}'
    run(instance, fails=["x"])
    assert "1 lines wait: the webhook at 127.0.0.1 answered 200" in sensor()
    assert chat.texts == []
    chat.answer = b"ok"
    assert "1 lines sent" in sensor()
    assert [text.count("[FAILED]") for text in chat.texts] == [1]


def test_notices_that_are_too_much_for_one_message_of_a_chat_come_in_several(sensor, chat, lake, monkeypatch):
    """WeCom takes 2,048 bytes: a refused message would hold back all that come after it."""
    monkeypatch.setenv("SMI_NOTIFY_CHAT", "wecom")
    settings.cache_clear()
    for number in range(4):
        tell(lake, Notice(cause=f"c{number}", kind="failure", title=f"t{number}", text="市" * 300), datetime.now(UTC))
    tell(lake, Notice(cause="long", kind="news", title="t4", text="市" * 3000, link="https://l"), datetime.now(UTC))
    assert ["2 lines sent" in sensor(), "2 lines sent" in sensor(), "1 lines sent" in sensor()] == [True] * 3
    assert [[f"t{number}" in text for number in range(5)] for text in chat.texts] == [
        [True, True, False, False, False],
        [False, False, True, True, False],
        [False, False, False, False, True],
    ]
    assert max(len(text.encode()) for text in chat.texts) <= 2048
    assert chat.texts[-1].endswith("…\nhttps://l")
