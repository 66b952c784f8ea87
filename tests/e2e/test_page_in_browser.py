"""The live page in a real browser: light and dark, wide and narrow, by keyboard alone, and nothing from elsewhere."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.evolved import told
from tests.live import toy_app
from tests.page_app import EVIL, Service, event, served
from tests.running import running
from tests.serving import toy_champion

#: Smallest contrast of text against the ground behind it (WCAG 2.2, 1.4.3), and whose it is.
CONTRAST = """() => {
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true })
  const rgb = c => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = c; canvas.fillRect(0, 0, 1, 1)
    return [...canvas.getImageData(0, 0, 1, 1).data] }
  const line = v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4
  const light = c => { const [r, g, b] = c.map(v => line(v / 255))
    return .2126 * r + .7152 * g + .0722 * b }
  const behind = e => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor)
    if (c[3] === 255) return c.slice(0, 3) } return [255, 255, 255] }
  let worst = [99, '']
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
  while (walk.nextNode()) { const e = walk.currentNode.parentElement
    if (!walk.currentNode.textContent.trim() || !e.checkVisibility({ opacityProperty: true })) continue
    if (e.closest('.hidden, noscript')) continue
    const [a, b] = [light(rgb(getComputedStyle(e).color).slice(0, 3)), light(behind(e))].sort((x, y) => y - x)
    const ratio = (a + .05) / (b + .05)
    if (ratio < worst[0]) worst = [ratio, e.outerHTML.slice(0, 120)] }
  return worst }"""
#: Controls that no label, text or title names.
NAMELESS = """() => [...document.querySelectorAll('button, input, select, [role=tabpanel], [role=application]')]
  .filter(e => !(e.labels?.length || e.ariaLabel || e.getAttribute('aria-labelledby') || e.textContent.trim()))
  .map(e => e.outerHTML)"""
#: Two elements with one id, and references to ids that are not there.
BROKEN = """() => { const ids = [...document.querySelectorAll('[id]')].map(e => e.id)
  const named = [...document.querySelectorAll('[aria-controls], [aria-labelledby], [aria-describedby], label[for]')]
    .flatMap(e => ['aria-controls', 'aria-labelledby', 'aria-describedby', 'for'].map(a => e.getAttribute(a)))
    .filter(Boolean)
  return [ids.filter((id, i) => ids.indexOf(id) !== i), named.filter(id => !ids.includes(id))] }"""


@pytest.fixture
def service() -> Iterator[Service]:
    with served() as running:
        running.report = told()
        running.pulse.applied([event(n, user=f"u{n % 3}", place=(48.8 + n / 100, 2.3 + n / 80)) for n in range(1, 9)])
        yield running


class Tab:
    """A page of the browser and everything it complained of or asked for."""

    def __init__(self, browser: Any, url: str, scheme: str = "light", width: int = 1280, live: bool = True) -> None:
        self.context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 900})
        self.page = self.context.new_page()
        self.trouble: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda message: self.trouble.append(message.text))
        self.page.on("pageerror", lambda error: self.trouble.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(url)
        if live:
            self.page.wait_for_selector("html[data-state=live]")
            self.page.wait_for_selector(".stream li")

    def focused(self) -> str:
        """Id, else text, of what has the focus."""
        return str(self.page.evaluate("(e => e.id || e.name || e.textContent.trim())(document.activeElement)"))


@pytest.mark.browser
@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_whole_in_both_themes_and_widths(browser: Any, service: Service, scheme: str, width: int) -> None:
    tab = Tab(browser, service.url, scheme, width)
    page = tab.page
    page.wait_for_timeout(500)
    for id_ in ("figures", "map", "legend", "panel-stream"):
        assert page.locator(f"#{id_}").bounding_box()["height"] > 15
    for name in ("user", "models", "evolution", "stream"):
        page.click(f"#tab-{name}")
        if name == "evolution":
            page.wait_for_selector("#panel-evolution .fan")
        assert page.locator(f"#panel-{name}").is_visible()
        ratio, where = page.evaluate(CONTRAST)
        assert ratio >= 4.5, where
    page.check("input[value=week]", force=True)
    page.wait_for_selector("td.some")
    assert page.locator("table.heat td").count() == 7 * 24 + 1
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.evaluate(NAMELESS) == []
    assert page.evaluate(BROKEN) == [[], []]
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(int(part) for part in ground[4:-1].split(",")) > 380) == (scheme == "light")
    assert tab.trouble == []
    assert {url.startswith(service.url) for url in tab.asked} == {True}
    tab.context.close()


@pytest.mark.browser
def test_an_event_is_seen_within_a_second(browser: Any, service: Service) -> None:
    tab = Tab(browser, service.url)
    service.pulse.applied([event(100, user="zoe", item="gym")])
    first = tab.page.locator(".stream li").first
    tab.page.wait_for_selector(".stream li:first-child:has-text('zoe')", timeout=1000)
    assert "Red Gym" in first.inner_text()
    service.pulse.applied([event(101, item="brand new")])
    tab.page.wait_for_selector(".stream li:first-child:has-text('new item')", timeout=1000)
    tab.page.click("#pause")
    service.pulse.applied([event(102, user="held")])
    tab.page.wait_for_selector("#panel-stream:has-text('1 event came')")
    assert "held" not in first.inner_text()
    tab.page.click("#pause")
    assert "held" in first.inner_text()
    tab.context.close()


@pytest.mark.browser
def test_a_user_is_found_and_left_by_keyboard_alone(browser: Any, service: Service) -> None:
    tab = Tab(browser, service.url)
    page, keys = tab.page, tab.page.keyboard
    page.locator("body").press("/")
    assert tab.focused() == "who"
    keys.type("ann")
    keys.press("Enter")
    page.wait_for_selector("#user-title")
    page.wait_for_selector("text=Because you went to Blue Café")
    panel = page.locator("#panel-user").inner_text()
    for fact in ("41 %", "drifting off", "within a day", "90 %", "checkin", "Red Gym", "2 h"):
        assert fact in panel
    assert "null" not in panel
    assert "undefined" not in panel
    assert tab.focused() == "user-title"
    service.pulse.answered("ann", ["gym", "cafe"], 0.002)
    service.pulse.applied([event(200, user="ann", item="cafe")])
    page.wait_for_selector("text=The list had it in place 2.")
    assert tab.focused() == "user-title", "what is shown anew keeps the focus"
    keys.press("Tab")
    assert tab.focused() == "leave"
    keys.press("Enter")
    assert "Nobody is chosen" in page.locator("#panel-user").inner_text()
    assert tab.trouble == []
    tab.context.close()


@pytest.mark.browser
def test_the_focus_goes_through_all_controls_in_order_and_is_seen(browser: Any, service: Service) -> None:
    tab = Tab(browser, service.url)
    line = "e => getComputedStyle(e).outlineStyle !== 'none'"
    outlined = f"(e => ({line})(e) || ({line})(e.nextElementSibling || e))(document.activeElement)"
    seen = []
    for _ in range(14):
        tab.page.keyboard.press("Tab")
        seen.append(tab.focused())
        assert tab.page.evaluate(outlined), seen[-1]
    start = ["Skip to what is happening", "who", "key", "theme", "view", "window", "action", "cells", "+", "−", "Fit"]
    assert seen[: len(start)] == start
    assert seen[len(start) + 1] == "tab-stream"
    tab.context.close()


@pytest.mark.browser
def test_the_map_moves_and_speaks_by_keyboard(browser: Any, service: Service) -> None:
    tab = Tab(browser, service.url)
    page = tab.page
    page.wait_for_timeout(600)
    state = "import('/page/map.js').then(map => map.state())"
    before = page.evaluate(state)
    assert before["cells"] > 1
    page.focus("#cells")
    page.keyboard.press("+")
    page.keyboard.press("ArrowRight")
    after = page.evaluate(state)
    assert after["zoom"] == pytest.approx(1.5 * before["zoom"])
    assert after["x"] > before["x"]
    page.keyboard.press(".")
    assert "Place 1 of" in page.locator("#map-said").inner_text()
    assert page.locator("#tip").is_visible()
    page.keyboard.press("0")
    page.wait_for_timeout(600)
    assert page.evaluate(state)["zoom"] == pytest.approx(before["zoom"], rel=0.01)
    tab.context.close()


@pytest.mark.browser
def test_the_map_moves_by_mouse_and_fits_again(browser: Any, service: Service) -> None:
    tab = Tab(browser, service.url)
    page = tab.page
    page.wait_for_timeout(600)
    state = "import('/page/map.js').then(map => map.state())"
    before = page.evaluate(state)
    box = page.locator("#cells").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.wheel(0, -300)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2 - 60, box["y"] + box["height"] / 2)
    page.mouse.up()
    after = page.evaluate(state)
    assert after["zoom"] == pytest.approx(2 * before["zoom"])
    assert after["x"] == pytest.approx(before["x"] + 60 / after["zoom"])
    service.pulse.applied([event(500, place=(49.9, 3.9))])
    page.wait_for_timeout(700)
    assert page.evaluate(state)["x"] == after["x"], "it stays where somebody moved it"
    page.click("[data-zoom=fit]")
    page.wait_for_timeout(700)
    assert page.evaluate(state)["zoom"] < before["zoom"]
    tab.context.close()


@pytest.mark.browser
def test_a_log_without_places_shows_its_week(browser: Any) -> None:
    with served() as service:
        service.pulse.applied([event(n, place=None) for n in range(1, 6)])
        tab = Tab(browser, service.url)
        tab.page.wait_for_selector("td.some")
        assert tab.page.locator("#map").is_hidden()
        assert "place" in tab.page.locator("#week .bars").inner_text()
        tab.context.close()


@pytest.mark.browser
def test_a_key_is_asked_for_used_and_kept_in_this_tab_only(browser: Any) -> None:
    with served(key="sesame") as service:
        service.pulse.applied([event(1)])
        tab = Tab(browser, service.url, live=False)
        page = tab.page
        page.wait_for_selector("#asking[open]")
        assert "API key" in page.locator("#trouble").inner_text()
        page.fill("#secret", "sesame")
        page.keyboard.press("Enter")
        page.wait_for_selector("html[data-state=live]")
        page.wait_for_selector(".stream li")
        assert page.locator("#trouble").is_hidden()
        assert (
            page.evaluate(
                "[JSON.stringify(localStorage), document.cookie, document.body.innerHTML].join().includes('sesame')"
            )
            is False
        )
        assert page.evaluate("sessionStorage.getItem('chronotope-key')") == "sesame"
        assert not any("sesame" in url for url in tab.asked)
        tab.context.close()


@pytest.mark.browser
def test_what_comes_from_the_log_never_becomes_markup(browser: Any, service: Service) -> None:
    tab = Tab(browser, service.url)
    page = tab.page
    service.pulse.applied([event(300, user=EVIL, item="evil")])
    page.wait_for_selector(".stream li:first-child:has-text('onerror')")
    page.fill("#who", EVIL)
    page.press("#who", "Enter")
    page.wait_for_selector("#user-title")
    assert EVIL in page.locator("#panel-user").inner_text()
    assert page.locator("img").count() == 0
    assert page.title().startswith("Chronotope")
    tab.context.close()


@pytest.mark.browser
def test_what_goes_wrong_is_told(browser: Any, service: Service) -> None:
    tab = Tab(browser, service.url)
    page = tab.page
    page.fill("#who", "nobody")
    page.press("#who", "Enter")
    page.wait_for_selector("text=nobody cannot be shown: no such user.")
    tab.context.close()


@pytest.mark.browser
def test_how_behaviour_evolves_is_told_from_the_newest_report(browser: Any) -> None:
    with served() as service:
        service.pulse.applied([event(1)])
        tab = Tab(browser, service.url)
        panel = tab.page.locator("#panel-evolution")
        tab.page.click("#tab-evolution")
        tab.page.wait_for_selector("#panel-evolution:has-text('There is no report yet.')")
        service.report = told(changed=[{"text": EVIL, "known": "100 users"}])
        tab.page.click("#tab-stream")
        tab.page.click("#tab-evolution")
        tab.page.wait_for_selector("#panel-evolution .fan")
        assert (text := panel.inner_text())
        for part in (
            "Report 2: 100 users",
            EVIL,
            "10 on 2 Mar (80 % between 8 and 13)",
            "↓ 89",
            "all events: 90 instead of 30",
            "the lunch crowd weekdays",
            "1 hot spot, 1 of them new",
        ):
            assert part in text, part
        assert "null" not in text
        assert tab.page.locator("img").count() == 0
        tab.context.close()


@pytest.mark.browser
def test_motion_stops_for_who_wants_it_still(browser: Any, service: Service) -> None:
    tab = Tab(browser, service.url)
    tab.page.emulate_media(reduced_motion="reduce")
    service.pulse.applied([event(400, user="still")])
    tab.page.wait_for_selector(".stream li:first-child:has-text('still')")
    assert tab.page.locator(".come").count() == 0
    assert tab.page.evaluate("getComputedStyle(document.getElementById('dot')).animationName") == "none"
    tab.context.close()


@pytest.mark.browser
def test_the_true_service_shows_what_it_takes_and_answers(browser: Any) -> None:
    """Its own routes, its own policy for content, an event over HTTP, and a user asked about."""
    with running(toy_app(champion=toy_champion())) as url:
        sent = {"user_id": "newcomer", "item_id": "item00001", "action": "view", "latitude": 48.86, "longitude": 2.35}
        now = dt.datetime.now(dt.UTC).isoformat()
        answer = httpx.post(f"{url}/v1/events", json={"events": [sent | {"timestamp": now}]})
        assert answer.json()["accepted"] == 1, answer.text
        tab = Tab(browser, f"{url}/")
        page = tab.page
        page.click(".stream button:has-text('newcomer')")
        page.wait_for_selector("#user-title:has-text('newcomer')")
        page.wait_for_selector(".next li")
        assert page.locator(".past li").count() == 1
        page.wait_for_selector(".why:not(:empty)")
        assert page.evaluate("import('/page/map.js').then(map => map.state().cells)") == 1
        assert tab.trouble == []
        assert {one.startswith(url) for one in tab.asked} == {True}
        tab.context.close()
