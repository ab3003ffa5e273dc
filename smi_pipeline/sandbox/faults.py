"""Which requests something happens to, by the plan of a fault file."""

from __future__ import annotations

import re

from smi_pipeline.sandbox import graph
from smi_pipeline.sandbox.dataset import Platform
from smi_pipeline.sandbox.exchange import Ask
from smi_pipeline.sandbox.plan import Fault, FaultPlan

_PATHS: tuple[tuple[Platform, str, re.Pattern[str]], ...] = (
    ("x", "users", re.compile(r"/2/users(/by(/username/[^/]+)?|/[0-9]+)?")),
    ("x", "timeline", re.compile(r"/2/users/[^/]+/(tweets|posts)")),
    ("x", "search", re.compile(r"/2/(tweets|posts)/search/all")),
    ("x", "counts", re.compile(r"/2/(tweets|posts)/counts/all")),
    ("x", "usage", re.compile(r"/2/usage/tweets")),
    ("x", "posts", re.compile(r"/2/(tweets|posts)(/[0-9]+)?")),
    ("youtube", "channels", re.compile(r"/youtube/v3/channels")),
    ("youtube", "playlistItems", re.compile(r"/youtube/v3/playlistItems")),
    ("youtube", "videos", re.compile(r"/youtube/v3/videos")),
    ("youtube", "search", re.compile(r"/youtube/v3/search")),
    ("tiktok", "token", re.compile(r"/v2/oauth/token")),
    ("tiktok", "user", re.compile(r"/v2/research/user/info")),
    ("tiktok", "videos", re.compile(r"/v2/research/video/query")),
)


def endpoint_of(platform: Platform, ask: Ask) -> str | None:
    """What of a platform is asked for, by the names of `plan.ENDPOINTS`; null for a path it does not have."""
    path = ask.path.rstrip("/")
    if platform == "instagram":
        return "business_discovery" if "business_discovery" in ask.params.get("fields", "") else "account"
    if platform == "facebook":
        return {0: "batch", 1: "page", 2: "posts"}.get(len(graph.steps(path)[1]))
    found = (name for whose, name, pattern in _PATHS if whose == platform and pattern.fullmatch(path))
    return next(found, None)


class Matching:
    """A plan at work: counts which requests its faults have seen."""

    def __init__(self, plan: FaultPlan) -> None:
        self.plan = plan
        self._seen = [0] * len(plan.faults)
        self._done = [0] * len(plan.faults)

    def fault(self, platform: Platform, endpoint: str | None, ask: Ask) -> Fault | None:
        """The first fault that happens to a request; every fault that fits it has counted it."""
        happens = None
        for index, fault in enumerate(self.plan.faults):
            if fault.platform != platform or fault.endpoint not in (None, endpoint) or not _fits(fault, ask):
                continue
            self._seen[index] += 1
            number = self._seen[index]
            due = number in fault.at if fault.at is not None else number >= fault.since
            if happens is None and due and (fault.times is None or self._done[index] < fault.times):
                self._done[index] += 1
                happens = fault
        return happens


def _fits(fault: Fault, ask: Ask) -> bool:
    told = "\n".join([ask.path, *ask.params.values(), ask.body.decode(errors="replace")])
    if fault.do == "reject_field" and not re.search(rf"\b{re.escape(str(fault.field))}\b", told):
        return False
    return fault.match is None or fault.match in told
