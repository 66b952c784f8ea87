"""The report in a real browser: every section, light and dark, wide and narrow, no error and nothing fetched."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from components.evaluation.report import render
from tests.unit.evaluation.fixtures import PROMOTION, VALIDATION, fixed_record

SECTIONS = ("verdict", "comparison", "slices", "calibration", "coverage", "rules", "training", "heads", "protocol")
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


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(render(fixed_record(), validation=VALIDATION, promotion=PROMOTION))
    return path


@pytest.mark.browser
@pytest.mark.parametrize("width", [1200, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_section_is_there_to_be_read(browser: Any, page_file: Path, scheme: str, width: int) -> None:
    context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 900}, offline=True)
    page = context.new_page()
    trouble: list[str] = []
    fetched: list[str] = []
    page.on("console", lambda message: trouble.append(message.text))
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.on("request", lambda request: fetched.append(request.url))
    page.goto(page_file.as_uri())
    for name in SECTIONS:
        section = page.locator(f"#{name}")
        assert section.is_visible()
        assert section.locator("h2").inner_text().strip()
        assert section.bounding_box()["height"] > 60
        page.locator(f'nav a[href="#{name}"]').click()
    assert page.locator("svg[role=img]").count() > 30
    assert all(
        page.locator("svg[role=img]").evaluate_all("all => all.map(one => one.getBoundingClientRect().width > 40)")
    )
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.evaluate(CONTRAST) >= 4.5
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(int(part) for part in ground[4:-1].split(",")) > 380) == (scheme == "light")
    assert trouble == []
    assert fetched == [page_file.as_uri()]
    context.close()
