"""The distribution's Chromium, driven by Playwright: a desk somebody sits at, and all that the browser complains of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tane.linux import programs

AXE = Path(__file__).parent.parent / "tests" / "vendor" / "axe-core-4.14.1" / "axe.min.js"
"""Deque's rules of accessibility (MPL-2.0, licence beside it): run in pages, part of no program."""
RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
ASK_AXE = """rules => axe.run(document, {runOnly: rules, preload: false, resultTypes: ["violations"]}).then(found =>
  found.violations.map(one =>
    `${one.id} (${one.impact}): ` + one.nodes.slice(0, 3).map(node => node.html).join(" | ")))"""
TELL_POLICY = """addEventListener("securitypolicyviolation", event =>
  console.error("CSP " + event.violatedDirective + " " + event.blockedURI), true)"""
MOST_SHOWN = 1000
"""Characters of a complaint."""


@contextmanager
def chromium() -> Iterator[Any]:
    """A browser without a window. :raises FileNotFoundError: it is not installed."""
    from playwright.sync_api import sync_playwright

    program = programs.find("chromium")
    if program is None:
        raise FileNotFoundError("not installed: chromium")
    with sync_playwright() as playwright:
        # Root has no sandbox of Chromium's; the pages are our own.
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


class Desk:
    """A page that somebody looks at, and what the browser complains of."""

    def __init__(self, browser: Any, url: str, language: str = "en", theme: str = "light", width: int = 1440) -> None:
        self.url, self.width, self.name = url, width, f"{language}-{theme}-{width}"
        size = {"width": width, "height": 900}
        self.context = browser.new_context(locale=language, color_scheme=theme, viewport=size)
        self.context.add_init_script(TELL_POLICY)
        self.complaints: list[str] = []
        self.page = self.new_page()

    def new_page(self) -> Any:
        page = self.context.new_page()
        page.on("console", lambda message: message.type in ("error", "warning") and self._complain(message.text))
        page.on("pageerror", lambda error: self._complain(str(error)))
        page.on("requestfailed", self._failed)
        page.on("response", lambda answer: answer.status >= 400 and self._complain(f"{answer.status} {answer.url}"))
        return page

    def _complain(self, text: str) -> None:
        self.complaints.append(f"{self.page.url}: {text}"[:MOST_SHOWN])

    def _failed(self, request: Any) -> None:
        # The stream of events ends with its page.
        if "/events" not in request.url and request.failure != "net::ERR_ABORTED":
            self._complain(f"{request.failure} {request.url}")

    def login(self, user: str, password: str) -> None:
        self.page.goto(f"{self.url}/dashboard/login")
        self.page.fill("#user", user)
        self.page.fill("#password", password)
        self.page.keyboard.press("Enter")
        self.page.wait_for_url(f"{self.url}/dashboard")

    def open(self, path: str) -> None:
        """A page of the portal, by its address below ``/dashboard``."""
        self.page.goto(f"{self.url}/dashboard{path}", wait_until="load")

    def menu(self) -> list[str]:
        """The addresses of the menu, below ``/dashboard``."""
        found = self.page.eval_on_selector_all("#menu li a", "all => all.map(one => one.getAttribute('href'))")
        return [str(one).removeprefix("/dashboard") for one in found]

    def look(self, axe: bool = True) -> None:
        """Complain of a page that is wider than the screen, and of what axe finds."""
        wide = self.page.evaluate("document.documentElement.scrollWidth")
        if wide > self.width:
            self._complain(f"{wide} pixels wide on a screen of {self.width}")
        if axe:
            self.page.evaluate(AXE.read_text())
            for one in self.page.evaluate(ASK_AXE, list(RULES)):
                self._complain(f"axe: {one}")

    def picture(self, folder: Path, name: str) -> Path:
        """Keep what is seen, the whole page."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{name.strip('/').replace('/', '-') or 'overview'}-{self.name}.png"
        self.page.screenshot(path=str(path), full_page=True)
        return path

    def put(self, name: str, value: str | Sequence[str]) -> None:
        """Fill in a field, which may be folded away."""
        field = self.page.locator(f"main form [name='{name}']").first
        for folded in self.page.locator("main details.more:not([open])").all():
            folded.locator("summary").click()
        kind = field.evaluate("one => one.type || one.tagName")
        if kind.startswith("select"):
            field.select_option(value)
        elif kind == "file":
            field.set_input_files(value)
        elif kind == "checkbox":
            for one in [value] if isinstance(value, str) else value:
                self.page.locator(f"main form input[name='{name}'][value='{one}']").check()
        else:
            field.fill(value)

    def send(self, press: str = "") -> str:
        """Send the page's form."""
        with self.page.expect_navigation():
            self.page.click(press or "main .send button")
        return str(self.page.url).removeprefix(f"{self.url}/dashboard")
