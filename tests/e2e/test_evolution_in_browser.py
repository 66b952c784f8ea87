"""The page of `chronotope evolve` in a real browser: light and dark, wide and narrow, no error and nothing fetched."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from components.evolve import evolve
from tests.city import clean_log, small_city
from tests.e2e.reading import opened
from tests.unit.evolution.test_evolve import quick, workspace

ROOMS = ("trends", "lifecycle", "interests", "habits", "anomalies", "space")


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("city")
    evolve(root, workspace(root, clean_log(small_city()), quick()))
    return root / "reports" / "evolution" / "index.html"


@pytest.mark.browser
@pytest.mark.parametrize("width", [1200, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_room_is_there_to_be_read(browser: Any, page_file: Path, scheme: str, width: int) -> None:
    with opened(browser, page_file, scheme, width) as page:
        for name in ROOMS:
            section = page.locator(f"#{name}")
            assert section.is_visible()
            assert section.locator("h2").inner_text().strip()
            assert section.locator("ul.found li").count() >= 1
            page.locator(f'nav a[href="#{name}"]').click()
        pictures = page.locator("svg[role=img]")
        assert pictures.count() >= 6
        assert all(pictures.evaluate_all("all => all.map(one => one.getBoundingClientRect().width > 40)"))
