"""Geometry for the map of the live page."""

from __future__ import annotations

import pytest

from components.serving.pulse import shape
from tests.live import toy_client

CELL = "881fb46625fffff"


def test_corners_of_cells_and_places_of_items() -> None:
    with toy_client() as client:
        assert client.get(f"/v1/cells/{CELL}").json() == {"shapes": {CELL: list(shape(CELL))}}
        assert isinstance(client.get("/v1/live/places").json()["places"], list)


@pytest.mark.parametrize("cells", ["nothing", f"{CELL},", ",".join([CELL] * 51), "%00", "🜁", "c" * 17, "c" * 400])
def test_what_is_no_list_of_cells_is_refused(cells: str) -> None:
    with toy_client() as client:
        assert client.get(f"/v1/cells/{cells}").status_code == 422
