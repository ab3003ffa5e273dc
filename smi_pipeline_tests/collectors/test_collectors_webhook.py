import json
import logging
import traceback

import httpx
import pytest
from pydantic import SecretStr

from smi_pipeline.collectors.webhook import CHATS, WebhookError, chat_of, post

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


def test_an_address_with_an_impossible_port_names_its_setting_and_not_itself():
    with pytest.raises(WebhookError) as caught:
        post(SecretStr("https://chat.example:port/SMI_CANARY_hook"), "hello")
    assert str(caught.value) == "SMI_NOTIFY_WEBHOOK is not an http or https URL"


@pytest.mark.parametrize(
    "body",
    [
        '{"errcode":310000,"errmsg":"keywords not in content"}',
        '{"errcode":"93000","errmsg":"invalid webhook url"}',
        '{"code":19024,"msg":"Key Words Not Found","data":{}}',
        '{"StatusCode":9499,"StatusMessage":"Bad Request"}',
        '{"ok":false,"error":"channel_is_archived"}',
        '{"success":false,"error":"Invalid integration id"}',
    ],
)
def test_an_answer_of_200_whose_body_refuses_is_a_refusal_in_the_chats_words(body):
    chat, _ = answering(httpx.Response(200, text=body))
    with pytest.raises(WebhookError) as caught:
        post(URL, "hello", transport=chat)
    assert str(caught.value) == f"the webhook at chat.example answered 200: {body}"


@pytest.mark.parametrize(
    "body",
    [
        "ok",
        "",
        '{"errcode":0,"errmsg":"ok"}',
        '{"StatusCode":0,"StatusMessage":"success","code":0,"data":{},"msg":"success"}',
        '{"ok":true}',
        '{"code":200,"msg":"accepted"}',
        "[1]",
    ],
)
def test_an_answer_that_accepts_is_none(body):
    chat, sent = answering(httpx.Response(200, text=body))
    post(URL, "hello", transport=chat)
    assert len(sent) == 1


@pytest.mark.parametrize(
    ("url", "sent_body"),
    [
        ("https://hooks.slack.com/services/T/B/x", {"text": "&lt;!channel&gt; R&amp;D &lt;HQ&gt;"}),
        ("https://chat.example/hook", {"text": "&lt;!channel&gt; R&amp;D &lt;HQ&gt;"}),
        (
            "https://oapi.dingtalk.com/robot/send?access_token=x",
            {"msgtype": "text", "text": {"content": "<!channel> R&D <HQ>"}},
        ),
        (
            "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=x",
            {"msgtype": "text", "text": {"content": "<!channel> R&D <HQ>"}},
        ),
        (
            "https://open.feishu.cn/open-apis/bot/v2/hook/x",
            {"msg_type": "text", "content": {"text": "<!channel> R&D ＜HQ>"}},
        ),
        (
            "https://open.larksuite.com/open-apis/bot/v2/hook/x",
            {"msg_type": "text", "content": {"text": "<!channel> R&D ＜HQ>"}},
        ),
    ],
)
def test_each_chat_gets_its_own_shape_and_escapes_by_the_host_of_the_url(url, sent_body):
    chat, sent = answering(httpx.Response(200, text="ok"))
    post(SecretStr(url), "<!channel> R&D <HQ>", transport=chat)
    assert json.loads(sent[0].content) == sent_body


def test_nobody_is_called_by_a_text_that_feishu_would_read_as_a_mention():
    chat, sent = answering(httpx.Response(200, text="{}"))
    post(URL, '<at user_id="all">all</at>', CHATS["feishu"], transport=chat)
    assert json.loads(sent[0].content)["content"] == {"text": '＜at user_id="all">all＜/at>'}


def test_a_setting_names_the_chat_of_a_host_that_is_nobodys():
    assert chat_of(URL, "wecom") is CHATS["wecom"]
    assert chat_of(URL) is CHATS["slack"]
    assert chat_of(SecretStr("https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=x")) is CHATS["wecom"]


def test_a_refusal_that_repeats_the_urls_key_is_quoted_without_it():
    key = "SMI_CANARY_0123"
    chat, _ = answering(httpx.Response(200, text=json.dumps({"errcode": 1, "errmsg": f"no robot {key}"})))
    with pytest.raises(WebhookError) as caught:
        post(SecretStr(f"https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key={key}"), "hello", transport=chat)
    assert key not in str(caught.value)
    assert "no robot [redacted]" in str(caught.value)
