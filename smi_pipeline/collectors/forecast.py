"""What a collection will take, before it is made: requests, quota and money, by the fewest a correct reading needs."""

from __future__ import annotations

from math import ceil
from typing import NamedTuple

from smi_pipeline.collectors import tiktok, x, youtube
from smi_pipeline.registry.models import Platform
from smi_pipeline.settings import Settings

TIKTOK_SPANS = 2  # a month and a day on each side, thirty days at a time


class Forecast(NamedTuple):
    """Requests, how many of the platform's quota days they fill, and what they cost at most in dollars."""

    requests: int
    quota_days: float
    usd: float

    def plus(self, other: Forecast) -> Forecast:
        """Both together."""
        return Forecast(self.requests + other.requests, self.quota_days + other.quota_days, self.usd + other.usd)


NOTHING = Forecast(0, 0.0, 0.0)


def forecast(platform: Platform, accounts: int, posts: float, since: float, settings: Settings) -> Forecast:
    """One collection of a month.

    Args:
        platform: whose it is.
        accounts: how many are asked.
        posts: of the month, by an account on the average.
        since: posts by an account from the month's start until it is collected: listings without a window show these.
        settings: page sizes and budgets.
    """
    if accounts == 0 or settings.files(platform, "") is not None:
        return NOTHING

    def pages(count: float, page: int) -> int:
        return max(1, ceil(count / page))

    match platform:
        case "facebook":
            return Forecast(accounts * pages(posts, settings.facebook_page_size), 0.0, 0.0)
        case "instagram":
            return Forecast(accounts * pages(since + 1, settings.instagram_page_size), 0.0, 0.0)
        case "x":
            requests = ceil(accounts / x.BATCH) + accounts * pages(posts, x.PAGE_SIZE)
            usd = accounts * (x.USERS.usd_a_record + posts * x.TIMELINE.usd_a_record)
            return Forecast(requests, 0.0, 0.0 if settings.is_sandbox("x") else usd)
        case "youtube":
            listings = accounts * pages(since + 1, youtube.PAGE_SIZE)
            requests = ceil(accounts / youtube.BATCH) + listings + ceil(accounts * posts / youtube.BATCH)
            return Forecast(requests, requests / max(settings.youtube_units_a_day, 1), 0.0)
        case "tiktok":
            groups = ceil(accounts / settings.tiktok_names_a_query)
            videos = max(TIKTOK_SPANS * groups, ceil(accounts * posts / tiktok.PAGE_SIZE))
            by_records = accounts * posts / max(settings.tiktok_records_a_day, 1)
            by_requests = (accounts + videos) / max(settings.tiktok_requests_a_day, 1)
            return Forecast(1 + accounts + videos, max(by_requests, by_records), 0.0)
