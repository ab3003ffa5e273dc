"""How each platform says what a fault file makes it say.

Words and shapes are those of recorded answers where there are any, else of the services' documents.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from smi_pipeline.sandbox.dataset import Platform
from smi_pipeline.sandbox.exchange import Answer, Ask, present
from smi_pipeline.sandbox.plan import Fault

_HTML = "<!DOCTYPE html><html><head><title>Sorry</title></head><body><h1>Something went wrong.</h1></body></html>"
_PROBLEMS = "https://api.x.com/2/problems"
_RATE_CODES = {
    4: "(#4) Application request limit reached",
    17: "(#17) User request limit reached",
    32: "(#32) Page request limit reached",
    613: "(#613) Calls to this api have exceeded the rate limit.",
    80001: "(#80001) There have been too many calls to this Page account. Wait a bit and try again.",
    80002: "(#80002) There have been too many calls to this Instagram account. Wait a bit and try again.",
}


def refusal(fault: Fault, ask: Ask) -> Answer | None:
    """What the platform answers instead; null where the fault happens to the true answer."""
    match fault.do:
        case "status":
            return Answer("" if fault.body is None else fault.body, fault.status or HTTPStatus.OK, fault.headers)
        case "html":
            return Answer(_HTML, HTTPStatus.OK)
        case "server_error":
            return Answer(_HTML, fault.status or HTTPStatus.SERVICE_UNAVAILABLE)
        case "rate_limit":
            answer = _rate_limit(fault, ask)
            asked = {} if fault.retry_after is None else {"retry-after": str(fault.retry_after)}
            return Answer(answer.body, answer.status, {**answer.headers, **asked, **fault.headers})
    return _OWN[fault.platform](fault, ask)


def changed(value: Any, fault: Fault) -> Any:
    """A body in which a field is dropped, added or renamed wherever its name occurs."""
    if isinstance(value, list):
        return [changed(one, fault) for one in value]
    if not isinstance(value, dict):
        return value
    told = {}
    for name, one in value.items():
        if name != fault.field:
            told[name] = changed(one, fault)
        elif fault.do == "rename_field":
            told[str(fault.to)] = one
    if fault.do == "add_field" and "id" in value:
        told[str(fault.field)] = fault.value
    return told


def usage_headers(platform: Platform, percent: int, ask: Ask) -> dict[str, str]:
    """The headers that say how much of a limit is used."""
    if platform == "x":
        reset = int(ask.now.timestamp()) // 900 * 900 + 900
        left = max(100 - percent, 0)
        return {
            "x-rate-limit-limit": "100",
            "x-rate-limit-remaining": str(left),
            "x-rate-limit-reset": str(reset),
        }
    return {"x-app-usage": json.dumps(dict.fromkeys(("call_count", "total_time", "total_cputime"), percent))}


def _rate_limit(fault: Fault, ask: Ask) -> Answer:
    match fault.platform:
        case "x":
            reset = {} if fault.reset is None else {"x-rate-limit-reset": str(int(ask.now.timestamp()) + fault.reset)}
            if fault.variant == "errors":
                return Answer({"errors": [{"code": 88, "message": "Rate limit exceeded"}]}, 429, reset)
            answer = _problem(429, "Too Many Requests", "Too Many Requests", None)
            return Answer(answer.body, answer.status, reset)
        case "facebook" | "instagram":
            return _graph_rate_limit(fault, ask)
        case "youtube":
            status = int(fault.variant or 403)
            message = "The request cannot be completed because too many requests were made."
            return _google(status, "rateLimitExceeded", message, "youtube.quota")
        case "tiktok":
            return _tiktok(ask, 429, "rate_limit_exceeded", "The API rate limit was exceeded.")


def _graph_rate_limit(fault: Fault, ask: Ask) -> Answer:
    code = int(fault.variant or 4)
    minutes = -(-(fault.reset or 0) // 60)
    if code in (32, 80001, 80002):
        kind = "instagram" if code == 80002 else "pages"  # noqa: PLR2004 - Meta's code
        use = {"type": kind, "call_count": 100, "total_cputime": 25, "total_time": 25}
        usage = {"1": [use | {"estimated_time_to_regain_access": minutes}]}
        headers = {"x-business-use-case-usage": json.dumps(usage)}
    else:
        headers = usage_headers(fault.platform, 100, ask)
    return _graph(code, _RATE_CODES.get(code, f"(#{code}) Calls have exceeded the rate limit."), headers=headers)


def _graph(code: int, message: str, *, status: int = 400, headers: dict[str, str] | None = None, **more: Any) -> Answer:
    error = {"message": message, "type": "OAuthException", "code": code, **present(**more)}
    return Answer({"error": error | {"fbtrace_id": "A" + secrets.token_urlsafe(16)}}, status, headers or {})


def _problem(status: int, title: str, detail: str, kind: str | None) -> Answer:
    said = {"title": title, "detail": detail, "status": status}
    return Answer(said | {"type": f"{_PROBLEMS}/{kind}" if kind else "about:blank"}, status)


def _google(code: int, reason: str, message: str, domain: str = "global", **more: Any) -> Answer:
    one = {"message": message, "domain": domain, "reason": reason}
    return Answer({"error": {"code": code, "message": message, "errors": [one], **more}}, code)


def _tiktok(ask: Ask, status: int, code: str, message: str) -> Answer:
    log_id = ask.now.strftime("%Y%m%d%H%M%S") + secrets.token_hex(10).upper()
    return Answer({"data": {}, "error": {"code": code, "message": message, "log_id": log_id}}, status)


def _x_bad_value(parameter: str, value: str) -> Answer:
    message = f"The `{parameter}` query parameter value [{value}] is not valid"
    return Answer(
        {
            "errors": [{"parameters": {parameter: [value]}, "message": message}],
            "title": "Invalid Request",
            "detail": "One or more parameters to your request was invalid.",
            "type": f"{_PROBLEMS}/invalid-request",
        },
        400,
    )


def _x_asked_for(ask: Ask) -> list[str]:
    """The users or posts a request is about, by name or id."""
    listed = ask.params.get("usernames") or ask.params.get("ids")
    steps = ask.path.removesuffix("/tweets").removesuffix("/posts").rstrip("/").split("/")
    return listed.split(",") if listed else [steps[-1]]


def _x_not_shown(value: str) -> dict[str, str]:
    """What stands in the place of a protected account, or of its posts: with 200, as all that concerns one of many."""
    return {
        "resource_id": value,
        "parameter": "id" if value.isdecimal() else "username",
        "resource_type": "user",
        "title": "Authorization Error",
        "value": value,
        "detail": f"Sorry, you are not authorized to see the user: [{value}].",
        "type": f"{_PROBLEMS}/not-authorized-for-resource",
    }


def _x(fault: Fault, ask: Ask) -> Answer | None:
    answer: Answer | None = None
    match fault.do:
        case "quota":
            answer = _problem(429, "UsageCapExceeded", "Usage cap exceeded: Monthly product cap", "usage-capped")
        case "credits":
            older = fault.variant == "credits"
            title, kind = ("CreditsDepleted", "credits") if older else ("Payment Required", "credits-depleted")
            answer = _problem(402, title, "credits depleted", kind)
        case "token_expired":
            answer = _problem(401, "Unauthorized", "Unauthorized", None)
        case "permission":
            answer = Answer({"errors": [_x_not_shown(value) for value in _x_asked_for(ask)]}, HTTPStatus.OK)
        case "transient":
            answer = _problem(503, "Service Unavailable", "Service Unavailable", None)
        case "invalid_cursor":
            answer = _x_bad_value("pagination_token", ask.params.get("pagination_token", ""))
        case "reject_field":
            named = [
                name for name, value in ask.params.items() if name.endswith(".fields") and str(fault.field) in value
            ]
            answer = _x_bad_value(named[0] if named else "tweet.fields", str(fault.field))
    return answer


def _searches_used_up() -> Answer:
    """The bucket of searches is a quota of Google's own and not of YouTube's: 429, and the reason of a short limit."""
    said = (
        "Quota exceeded for quota metric 'Search Queries' and limit 'Search Queries per day' of service "
        "'youtube.googleapis.com'."
    )
    metadata = {"service": "youtube.googleapis.com", "quota_unit": "1/d/{project}"}
    kind = "type.googleapis.com/google.rpc.ErrorInfo"
    details = [{"@type": kind, "reason": "RATE_LIMIT_EXCEEDED", "domain": "googleapis.com", "metadata": metadata}]
    return _google(429, "rateLimitExceeded", said, status="RESOURCE_EXHAUSTED", details=details)


def _youtube(fault: Fault, ask: Ask) -> Answer | None:
    answer: Answer | None = None
    match fault.do:
        case "quota" if ask.path.rstrip("/").endswith("/search"):
            answer = _searches_used_up()
        case "quota":
            said = "The request cannot be completed because you have exceeded your <code>quota</code>."
            answer = _google(403, "quotaExceeded", said, "youtube.quota")
        case "token_expired":
            answer = _google(401, "authError", "Invalid Credentials")
        case "permission" if ask.path.rstrip("/").endswith("/playlistItems"):
            said = "The request is not properly authorized to retrieve the specified playlist."
            answer = _google(403, "playlistItemsNotAccessible", said, "youtube.playlistItem")
        case "permission":
            answer = _google(403, "forbidden", "Access forbidden.")
        case "transient":
            answer = _google(503, "backendError", "Backend Error")
        case "invalid_cursor":
            answer = _google(
                400, "invalidPageToken", "The request specifies an invalid page token.", "youtube.parameter"
            )
        case "reject_field":
            answer = _google(400, "unknownPart", f"'{fault.field}'", "youtube.part")
    return answer


def _research(fault: Fault, ask: Ask) -> Answer | None:
    answer: Answer | None = None
    match fault.do:
        case "quota":
            answer = _tiktok(ask, 429, "daily_quota_limit_exceeded", "The API daily quota limit was exceeded.")
        case "token_expired":
            said = "The access token is invalid or not found in the request."
            answer = _tiktok(ask, 401, "access_token_invalid", said)
        case "permission":
            said = "The user did not authorize the scope required for completing this request."
            answer = _tiktok(ask, 401, "scope_not_authorized", said)
        case "transient":
            answer = _tiktok(ask, 500, "internal_error", "Something is wrong. Please try again later.")
        case "invalid_cursor":
            answer = _tiktok(ask, 400, "invalid_params", "Invalid count or cursor")
        case "reject_field":
            answer = _tiktok(ask, 400, "invalid_params", f"Invalid fields: {fault.field}")
    return answer


def _meta(fault: Fault, _: Ask) -> Answer | None:
    answer: Answer | None = None
    match fault.do:
        case "token_expired":
            said = "Error validating access token: Session has expired."
            answer = _graph(190, said, status=401, error_subcode=463)
        case "permission":
            answer = _graph(10, "(#10) Application does not have permission for this action")
        case "transient":
            said = "An unexpected error has occurred. Please retry your request later."
            answer = _graph(2, said, status=500, is_transient=True)
        case "less_data":
            said = "Please reduce the amount of data you're asking for, then retry your request"
            answer = _graph(1, said, status=500)
        case "invalid_cursor":
            answer = _graph(100, "(#100) Invalid cursors values")
        case "reject_field":
            kind = "Page" if fault.platform == "facebook" else "InstagramMedia"
            answer = _graph(100, f"(#100) Tried accessing nonexisting field ({fault.field}) on node type ({kind})")
    return answer


_OWN: dict[Platform, Callable[[Fault, Ask], Answer | None]] = {
    "facebook": _meta,
    "x": _x,
    "instagram": _meta,
    "youtube": _youtube,
    "tiktok": _research,
}
