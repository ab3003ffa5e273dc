"""What X's API takes as a parameter, and how it refuses one."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from smi_pipeline.sandbox.exchange import CREDENTIAL, Answer, Ask, RefusedError, words

MAX_IDS = 100
EARLIEST = datetime(2010, 11, 6, tzinfo=UTC)
_PROBLEMS = "https://api.x.com/2/problems"


def known_parameters(ask: Ask, *known: str) -> None:
    """Refuse a parameter that the endpoint does not know."""
    for name, value in ask.params.items():
        if name not in known:
            raise invalid(name, value, None, f"The query parameter [{name}] is not one of [{','.join(known)}]")


def listed(ask: Ask, parameter: str, form: str) -> list[str]:
    """The values of a list parameter, 1 to 100 of them, each once."""
    values = [value.strip() for value in ask.params.get(parameter, "").split(",")]
    if values == [""]:
        raise invalid(parameter, "", None, f"The `{parameter}` query parameter can not be empty")
    if len(values) > MAX_IDS:
        raise invalid(
            parameter,
            ",".join(values),
            None,
            f"The number of values in the `{parameter}` query parameter "
            f"list [{len(values)}] is not between 1 and {MAX_IDS}",
        )
    for value in values:
        matching(parameter, value, form)
    return list(dict.fromkeys(values))


def matching(parameter: str, value: str, form: str) -> None:
    """Refuse a value that has not the form."""
    if not re.fullmatch(form, value):
        raise invalid(parameter, value, f"does not match ^{form}$")


def chosen(ask: Ask, parameter: str, known: list[str]) -> list[str]:
    """The values of a list parameter, each of them known; none where it is not given."""
    chosen = words(ask.params.get(parameter, ""))
    for value in chosen:
        if value not in known:
            raise invalid(parameter, value, f"is not one of [{','.join(known)}]")
    return chosen


def page_size(ask: Ask, lowest: int = 5, highest: int = 100) -> int:
    """The size of a page: `max_results` within the endpoint's bounds, 10 where it is not given."""
    return number(ask, "max_results", "10", lowest, highest)


def number(ask: Ask, parameter: str, default: str, lowest: int, highest: int) -> int:
    """A whole number within bounds."""
    text = ask.params.get(parameter, default)
    if not re.fullmatch(r"[0-9]{1,9}", text) or not lowest <= int(text) <= highest:
        raise invalid(parameter, text, f"is not between {lowest} and {highest}")
    return int(text)


def post_id(ask: Ask, parameter: str) -> int | None:
    """The id of a post, or None where it is not given."""
    text = ask.params.get(parameter)
    if text is not None:
        matching(parameter, text, "[0-9]{1,19}")
    return None if text is None else int(text)


def time(ask: Ask, parameter: str) -> datetime | None:
    """An instant in UTC, or None where it is not given."""
    text = ask.params.get(parameter)
    if text is None:
        return None
    if not re.fullmatch(r"[0-9]{4}-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9](\.[0-9]+)?Z", text):
        raise invalid(parameter, text, "is not a valid RFC 3339 date-time, such as 2025-05-01T00:00:00Z")
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise invalid(parameter, text, "is not a valid RFC 3339 date-time") from None
    if instant < EARLIEST:
        raise invalid(parameter, text, "must be on or after 2010-11-06T00:00Z")
    return instant


def not_found(resource: str, parameter: str, value: str) -> dict[str, Any]:
    """The problem object of something that is not there, for `errors` beside the data."""
    return {
        "value": value,
        "detail": f"Could not find {resource} with {parameter}: [{value}].",
        "title": "Not Found Error",
        "resource_type": resource,
        "parameter": parameter,
        "resource_id": value,
        "type": f"{_PROBLEMS}/resource-not-found",
    }


def is_of_a_user(ask: Ask) -> bool:
    """Whether a request is signed for a user by OAuth 1.0a, with the credential as key and token."""
    scheme, _, signed = ask.headers.get("authorization", "").partition(" ")
    told = dict(re.findall(r'(\w+)="([^"]*)"', signed)) if scheme == "OAuth" else {}
    return told.get("oauth_consumer_key") == told.get("oauth_token") == CREDENTIAL


def problem(
    status: HTTPStatus, title: str, kind: str | None = None, headers: dict[str, str] | None = None
) -> RefusedError:
    """A refusal as a problem object."""
    body = {"title": title, "type": f"{_PROBLEMS}/{kind}" if kind else "about:blank", "status": int(status)}
    return RefusedError(Answer(body | {"detail": title}, status, headers or {}))


def invalid(parameter: str, value: str, wrong: str | None, message: str | None = None) -> RefusedError:
    """A refusal of one parameter's value."""
    told = message or f"The `{parameter}` query parameter value [{value}] {wrong}"
    return RefusedError(
        Answer(
            {
                "errors": [{"parameters": {parameter: [value]}, "message": told}],
                "title": "Invalid Request",
                "detail": "One or more parameters to your request was invalid.",
                "type": f"{_PROBLEMS}/invalid-request",
            },
            HTTPStatus.BAD_REQUEST,
        )
    )
