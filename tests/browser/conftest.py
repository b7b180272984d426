"""An installed Chromium, driven by playwright, and pages that keep what went wrong in them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.payloads import REPOSITORY
from tests.report_cases import report

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_SCREENSHOTS = Path(os.environ.get("REPORT_SCREENSHOTS", REPOSITORY / ".local" / "screenshots"))
_HEIGHTS = {390: 844, 768: 1024}

Scheme = Literal["light", "dark"]


@dataclass
class Opened:
    """A page, and what it did that it must not: errors, requests that leave the file, dialogs."""

    page: Page
    name: str
    faults: list[str] = field(default_factory=list)

    def keep(self, what: str = "", *, full: bool = False) -> None:
        """Keep a screenshot for people."""
        _SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=_SCREENSHOTS / f"{self.name}{what and f'-{what}'}.png", full_page=full)


class Open(Protocol):
    """Opens a case's report. The clock is the moment it was made, unless the test sets another."""

    def __call__(
        self, case: str, *, width: int = 1280, scheme: Scheme = "light", script: bool = True, still: bool = False
    ) -> Opened: ...


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    executable = next(filter(None, map(shutil.which, _NAMES)), None)
    if executable is None:
        pytest.skip(f"needs an installed Chromium on the path, under one of the names {', '.join(_NAMES)}")
    # Chromium refuses its sandbox to root, as which containers run.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def open_report(browser: Browser, tmp_path: Path) -> Iterator[Open]:
    contexts = []

    def opened(
        case: str, *, width: int = 1280, scheme: Scheme = "light", script: bool = True, still: bool = False
    ) -> Opened:
        file = tmp_path / f"{case}.html"
        file.write_bytes(report(case).html)
        context = browser.new_context(
            viewport={"width": width, "height": _HEIGHTS.get(width, 900)},
            color_scheme=scheme,
            java_script_enabled=script,
            reduced_motion="reduce" if still else "no-preference",
        )
        contexts.append(context)
        page = context.new_page()
        held = Opened(page, f"{case}-{width}-{scheme}")
        page.on("console", lambda message: held.faults.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: held.faults.append(f"error: {error}"))
        page.on("dialog", lambda dialog: held.faults.append(f"dialog: {dialog.message}"))
        page.on(
            "request",
            lambda request: None if request.url == file.as_uri() else held.faults.append(f"request: {request.url}"),
        )
        page.goto(file.as_uri())
        return held

    yield opened
    for context in contexts:
        context.close()
