import json
import logging
import traceback

import httpx
import pytest
from pydantic import SecretStr

from smi_pipeline.collectors.webhook import WebhookError, post

URL = SecretStr("https://chat.example/hooks/SMI_CANARY_hook")


def answering(*answers):
    """A chat that gives these answers, one a request; and what it was sent."""
    sent, left = [], list(answers)

    def handle(request):
        sent.append(request)
        answer = left.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return httpx.MockTransport(handle), sent


def test_a_message_is_one_post_of_a_json_object_with_a_text():
    chat, sent = answering(httpx.Response(200, text="ok"))
    post(URL, "南京 is first\nline two", transport=chat)
    [request] = sent
    assert (request.method, str(request.url)) == ("POST", URL.get_secret_value())
    assert json.loads(request.content) == {"text": "南京 is first\nline two"}


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (httpx.Response(404, text=f"no hook {URL.get_secret_value()}"), "answered 404: no hook [redacted]"),
        (httpx.Response(302, headers={"location": "http://169.254.169.254/"}), "answered 302"),
        (httpx.ConnectError(f"no route to {URL.get_secret_value()}"), "out of reach: ConnectError"),
    ],
)
def test_what_did_not_arrive_is_said_with_the_host_and_without_the_url(answer, said, caplog):
    """Whoever has the URL may write to the chat: no message, traceback or log may show it."""
    caplog.set_level(logging.DEBUG)
    chat, sent = answering(answer)
    with pytest.raises(WebhookError) as caught:
        post(URL, "hello", transport=chat)
    assert said in str(caught.value)
    assert "chat.example" in str(caught.value)
    assert len(sent) == 1
    assert "SMI_CANARY_hook" not in "".join(traceback.format_exception(caught.value)) + caplog.text


@pytest.mark.parametrize("url", ["", "ftp://chat.example/x", "chat.example/hook"])
def test_an_address_that_is_none_names_its_setting(url):
    with pytest.raises(WebhookError, match="SMI_NOTIFY_WEBHOOK is not an http or https URL"):
        post(SecretStr(url), "hello")
