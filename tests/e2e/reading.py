"""A page of one file as a person reads it in a browser, without a network: what must hold of every such page."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

#: Contrast of text against what is behind it (WCAG 2.2, 1.4.3): the smallest of the page.
CONTRAST = """() => {
  const light = c => { const [r, g, b] = c.match(/[\\d.]+/g).slice(0, 3).map(v => v / 255)
    .map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4); return .2126 * r + .7152 * g + .0722 * b }
  const behind = e => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor
    if (!c.endsWith(', 0)')) return c } return 'rgb(255, 255, 255)' }
  let worst = 99
  const words = 'h1, h2, h3, p, td, th, small, dt, dd, a, figcaption, span, summary, text'
  for (const e of document.querySelectorAll(words)) {
    if (!e.textContent.trim()) continue
    const s = getComputedStyle(e), ink = e.tagName === 'text' ? s.fill : s.color
    const [a, b] = [light(ink), light(behind(e))].sort((x, y) => y - x)
    worst = Math.min(worst, (a + .05) / (b + .05)) }
  return worst }"""


@contextmanager
def opened(browser: Any, path: Path, scheme: str, width: int) -> Iterator[Any]:
    """The page, open; in the end it fits its width, can be read in its scheme, and has told of no error nor fetched."""
    context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 900}, offline=True)
    page = context.new_page()
    trouble: list[str] = []
    fetched: list[str] = []
    page.on("console", lambda message: trouble.append(message.text))
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.on("request", lambda request: fetched.append(request.url))
    page.goto(path.as_uri())
    yield page
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.evaluate(CONTRAST) >= 4.5
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(int(part) for part in ground[4:-1].split(",")) > 380) == (scheme == "light")
    assert trouble == []
    assert fetched == [path.as_uri()]
    context.close()
