"""Geometry for the live page's map: the corners of H3 cells, where the catalogue's items are. Nothing of users."""

from __future__ import annotations

from bento.exchange import Call, Refusal, Reply, dumped
from bento.routes.route import Route
from bento.schemas.live import CellsResponse, PlacesResponse
from bento.worker import Worker
from components.serving.pulse import places_in, shape

MOST_CELLS = 50


async def cells(call: Call, _: Worker) -> Reply:
    """The corners of some cells."""
    asked = call.parts[0].split(",")
    if len(asked) > MOST_CELLS:
        raise Refusal(422, f"needed at most {MOST_CELLS} cells", "cells")
    try:
        return Reply(dumped({"shapes": {cell: shape(cell) for cell in asked}}))
    except ValueError as error:
        raise Refusal(422, "needed H3 cells, joined by commas", "cells") from error


async def places(_: Call, worker: Worker) -> Reply:
    """Where the catalogue's items are."""
    return Reply(dumped({"places": await worker.beside(places_in, worker.live.champion)}))


ROUTES = (
    Route("GET", "/v1/cells/{cells}", "cells", "The corners of H3 cells (joined by commas), for drawing them.", "read",
          cells, CellsResponse),
    Route("GET", "/v1/live/places", "places", "Where the items of the champion's catalogue are.", "read",
          places, PlacesResponse),
)  # fmt: skip
