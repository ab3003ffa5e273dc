"""Debian's Chromium on files of this disk, without a network: what a page asks for, says and shows."""

import shutil
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import Page, sync_playwright

FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}


@dataclass
class Opened:
    """A page and everything it did: what it asked for beyond itself, and what it wrote to the console or threw."""

    page: Page
    asked: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)


@contextmanager
def chromium():
    """The browser, for as long as it is needed."""
    found = shutil.which("chromium")
    if found is None:
        pytest.skip("chromium is not installed (Debian: apt-get install chromium)")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=found, args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def opened(browser, path, *, size=WIDE, scheme="light"):
    """A file in a fresh profile with the network off. Its own address is no request; data: in it are the fonts it carries."""
    with browser.new_context(viewport=size, color_scheme=scheme, reduced_motion="reduce", offline=True) as context:
        page = context.new_page()
        page.set_default_timeout(60_000)
        seen = Opened(page)
        page.on("request", lambda request: seen.asked.append(request.url))
        page.on("console", lambda message: seen.said.append(message.text))
        page.on("pageerror", lambda error: seen.said.append(str(error)))
        page.on("dialog", lambda dialog: (seen.said.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.goto(path.as_uri())
        page.evaluate("document.fonts.ready.then(() => 1)")
        own = path.as_uri()
        seen.asked = [url for url in seen.asked if url != own and not url.startswith("data:font/")]
        yield seen
