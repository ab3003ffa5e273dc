"""What strangers and typing mistakes put into names, captions, handles and answers."""

import polars as pl

FORMULA = '=HYPERLINK("http://evil.example","x")'
TYPST = '#eval("1") *bold* _it_ $x$ @ref <label> #image("/etc/passwd") \\ ` `` ```'
EVIL = (
    f"{FORMULA} {TYPST} <script>alert(1)</script>&\"'{{{{ 7*7 }}}} \u202eRTL\u2066 مرحبا שלום ภาษาไทย 👩\u200d👩\u200d👧 𠮷"
    " \x00\x01\x07\x1b[31m\u200b\ufeff\ud800 javascript:alert(1) " + "长" * 50
)


def everywhere(given, posts_frame):
    """The edition with hostile text wherever the registry, the platforms or the inputs' sources may have it."""

    def evil(frame, *names):
        return frame.with_columns([pl.lit(EVIL.encode("utf-8", "replace").decode()).alias(name) for name in names])

    start = given()
    parts = start.platform_weight["parts"].to_list()
    names = ("name_zh", "name_en", "province")
    return given(
        rankings=evil(start.rankings, *names),
        cities=evil(start.cities, *names),
        top_posts=posts_frame(
            text=EVIL.encode("utf-8", "replace").decode(), kind="=1+1", permalink="javascript:alert(1)"
        ),
        hashtags=evil(start.hashtags, "hashtag"),
        outcomes=evil(start.outcomes, "handle", "detail"),
        platform_weight=start.platform_weight.with_columns(
            parts=pl.Series([text.replace("a <b>bold</b> source", "=1+1 #panic() " + "源") for text in parts])
        ),
        code_version="=0.1.0",
    )
