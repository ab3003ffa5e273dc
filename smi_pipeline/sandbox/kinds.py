"""One table from the neutral kind of a post to each platform's own words for it.

Staging reads the words back, so each kind a platform can tell apart has words of its own there. `None` = the platform
says nothing: the key is left out of the answer.

    kind      Facebook status_type / media_type     X                         Instagram media_type / product_type
    photo     added_photos / photo                  media photo               IMAGE / FEED
    video     added_video / video                   media video               VIDEO / FEED
    short     mobile_status_update / video          media video               VIDEO / REELS
    album     added_photos / album                  media photo, photo        CAROUSEL_ALBUM / FEED
    link      shared_story / link                   -                         IMAGE / FEED
    text      mobile_status_update / -              -                         IMAGE / FEED
    event     created_event / event                 -                         IMAGE / FEED
    note      created_note / note                   -                         IMAGE / FEED
    music     shared_story / music                  -                         IMAGE / FEED
    repost    shared_story / -                      referenced: retweeted     IMAGE / FEED
    (none)    - / -                                 -                         IMAGE / FEED

YouTube and TikTok list videos and nothing else: every post of a data set is a video there.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from smi_pipeline.sandbox.dataset import Kind


class Words(NamedTuple):
    """What the platforms call one kind of post."""

    facebook_status_type: str | None
    facebook_media_type: str | None
    x_media_types: tuple[Literal["photo", "video"], ...]
    x_referenced_type: Literal["retweeted"] | None
    instagram_media_type: Literal["IMAGE", "VIDEO", "CAROUSEL_ALBUM"]
    instagram_media_product_type: Literal["FEED", "REELS"]


WORDS: dict[Kind, Words] = {
    "photo": Words("added_photos", "photo", ("photo",), None, "IMAGE", "FEED"),
    "video": Words("added_video", "video", ("video",), None, "VIDEO", "FEED"),
    "short": Words("mobile_status_update", "video", ("video",), None, "VIDEO", "REELS"),
    "album": Words("added_photos", "album", ("photo", "photo"), None, "CAROUSEL_ALBUM", "FEED"),
    "link": Words("shared_story", "link", (), None, "IMAGE", "FEED"),
    "text": Words("mobile_status_update", None, (), None, "IMAGE", "FEED"),
    "event": Words("created_event", "event", (), None, "IMAGE", "FEED"),
    "note": Words("created_note", "note", (), None, "IMAGE", "FEED"),
    "music": Words("shared_story", "music", (), None, "IMAGE", "FEED"),
    "repost": Words("shared_story", None, (), "retweeted", "IMAGE", "FEED"),
    "": Words(None, None, (), None, "IMAGE", "FEED"),
}
