"""The report in a real browser: every section, light and dark, wide and narrow, no error and nothing fetched."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from components.evaluation.report import render
from tests.e2e.reading import opened
from tests.unit.evaluation.fixtures import PROMOTION, VALIDATION, fixed_record

SECTIONS = ("verdict", "comparison", "slices", "calibration", "coverage", "rules", "training", "heads", "protocol")


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(render(fixed_record(), validation=VALIDATION, promotion=PROMOTION))
    return path


@pytest.mark.browser
@pytest.mark.parametrize("width", [1200, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_section_is_there_to_be_read(browser: Any, page_file: Path, scheme: str, width: int) -> None:
    with opened(browser, page_file, scheme, width) as page:
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
