"""The files of the live page: small, nothing inline, a scale of colours that is even and seen by everybody."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from numpy.typing import NDArray

from bento.page.outlines import make
from tests.page_app import PAGE

FILES = sorted(path for path in PAGE.rglob("*") if path.suffix in {".html", ".js", ".css", ".svg"})
#: Machado, Oliveira and Fernandes (2009), severity 1, over linear light.
BLINDNESS = {
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


def linear(theme: str) -> NDArray[np.float64]:
    """(9, 3) linear light of a theme's scale."""
    found = re.search(rf"const {theme} = \[(.*?)\]", (PAGE / "scale.js").read_text())
    assert found is not None
    codes = re.findall(r"#(\w{2})(\w{2})(\w{2})", found[1])
    values = np.array([[int(part, 16) / 255 for part in code] for code in codes])
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def lightness(light: NDArray[np.float64]) -> NDArray[np.float64]:
    """CIE L* of linear light."""
    y = light @ np.array([0.2126, 0.7152, 0.0722])
    return np.where(y > 0.008856, 116 * np.cbrt(y) - 16, 903.3 * y)


@pytest.mark.parametrize("theme", ["LIGHT", "DARK"])
def test_the_scale_is_even_in_lightness(theme: str) -> None:
    steps = np.diff(lightness(linear(theme)))
    assert len(steps) == 8
    assert (np.sign(steps) == np.sign(steps[0])).all()
    assert np.abs(steps).max() < 1.6 * np.abs(steps).min()


@pytest.mark.parametrize("kind", BLINDNESS)
@pytest.mark.parametrize("theme", ["LIGHT", "DARK"])
def test_the_colour_blind_see_its_order(theme: str, kind: str) -> None:
    seen = np.clip(linear(theme) @ np.array(BLINDNESS[kind]).T, 0, 1)
    steps = np.diff(lightness(seen))
    assert (np.sign(steps) == np.sign(steps[0])).all()
    assert np.abs(steps).min() > 3


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_nothing_is_inline_and_nothing_comes_from_elsewhere(path: object) -> None:
    text = path.read_text("utf-8")  # type: ignore[attr-defined]
    assert not re.findall(r"\sstyle=|\son\w+=\"|<script(?![^>]*src=)|<style|javascript:", text)
    elsewhere = set(re.findall(r"https?://[\w./-]+", text)) - {"http://www.w3.org/2000/svg"}
    assert not elsewhere
    assert not re.findall(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function", text)


def test_the_outlines_are_small_and_whole() -> None:
    path = PAGE / "outlines" / "world.json"
    assert path.stat().st_size <= 250_000
    world = json.loads(path.read_text())
    used = {n if n >= 0 else ~n for ring in world["land"] for n in ring}
    assert used == set(range(len(world["arcs"])))
    assert set(world["borders"]) < used
    assert "public domain" in world["source"]


def test_all_of_the_page_is_small() -> None:
    assert sum(path.stat().st_size for path in FILES) < 100_000


def test_an_arc_is_read_as_it_was_written() -> None:
    line = np.random.default_rng(3).integers(-30_000, 30_000, (200, 2))
    values, value, shift = [], 0, 0
    for letter in make.text(line):
        bits = make.LETTERS.index(letter)
        value |= (bits & 31) << shift
        shift += 5
        if not bits & 32:
            values.append(-(value + 1) // 2 if value & 1 else value // 2)
            value = shift = 0
    assert (np.array(values).reshape(-1, 2).cumsum(axis=0) == line).all()


def test_a_simplified_line_stays_near_the_true_one() -> None:
    along = np.linspace(0, 6, 400)
    line = np.stack([along, np.sin(along)], axis=1)
    few = make.simplified(line, np.full(400, 0.01))
    assert 5 < len(few) < 60
    assert (
        np.abs(np.interp(line[:, 0], few[:, 0], few[:, 1]) - line[:, 1]).max() <= 0.01 * 2**0.5
    )  # the slope is at most 1
