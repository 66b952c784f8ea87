"""Encodings: vocabularies and their order, the catalogue, scales from training alone."""

from __future__ import annotations

from pathlib import Path

import h3
import numpy as np
import polars as pl
import pytest

from components.errors import ConfigError, SchemaError
from components.features import fit
from components.features.encoding import Encoding
from components.features.fit import fit_encoding
from components.params import FillParams, NumberParams
from tests.unit.features.sample import log, params, times


def events(items: list[str], **columns: object) -> pl.DataFrame:
    n = len(items)
    return pl.DataFrame(
        {"user_id": ["u"] * n, "item_id": items, "action": ["view"] * n, "timestamp": times(list(range(n)))} | columns
    )


def everything(frame: pl.DataFrame) -> np.ndarray:
    return np.ones(len(frame), bool)


def test_items_by_count_then_id_and_only_of_training() -> None:
    frame = events(["c", "b", "b", "a", "d", "d", "z"])
    train = np.array([True] * 6 + [False])
    encoding = fit_encoding(frame, None, train, params())
    assert encoding.vocabularies["item"].ids[2:].tolist() == ["b", "d", "a", "c"]
    rare = fit_encoding(frame, None, train, params(features={"min_item_events": 2}))
    assert rare.vocabularies["item"].ids[2:].tolist() == ["b", "d"]


def test_actions_keep_the_order_of_params() -> None:
    encoding = fit_encoding(events(["a"]), None, np.ones(1, bool), params())
    assert encoding.vocabularies["action"].ids[2:].tolist() == params().events.actions


def test_catalogue_from_the_item_table_and_from_training() -> None:
    frame = events(
        ["near", "near", "near", "table", "nowhere"],
        latitude=[10.0, 11.0, 50.0, 20.0, None],
        longitude=[1.0, 2.0, 3.0, 4.0, None],
    )
    items = pl.DataFrame(
        {
            "item_id": ["table", "near", "unseen"],
            "category": ["x", "y", "z"],
            "title": ["T", None, "U"],
            "text": [None, "words", None],
            "latitude": [48.0, None, 1.0],
            "longitude": [2.0, None, 1.0],
            "price": [9.5, None, 1.0],
        }
    )
    encoding = fit_encoding(frame, items, everything(frame), params())
    code = encoding.vocabularies["item"].code_of
    assert set(code) == {"near", "table", "nowhere"}  # nothing of an item that training never saw
    found = encoding.catalogue
    assert (found.latitude[code["near"]], found.longitude[code["near"]]) == (11.0, 2.0)  # the medians
    assert (found.latitude[code["table"]], found.longitude[code["table"]]) == (48.0, 2.0)  # not the event's place
    assert np.isnan(found.latitude[[0, 1, code["nowhere"]]]).all()
    assert encoding.vocabularies["category"].ids[2:].tolist() == ["x", "y"]
    assert found.category[[0, 1, code["table"], code["near"], code["nowhere"]]].tolist() == [0, 0, 2, 3, 1]
    assert (found.title[code["table"]], found.text[code["near"]], found.title[code["near"]]) == ("T", "words", "")
    assert found.price[code["table"]] == 9.5


def test_cells_of_training_places_at_each_resolution() -> None:
    frame = events(["a"] * 3, latitude=[48.85, 48.85, 40.0], longitude=[2.35, 2.35, -74.0])
    encoding = fit_encoding(frame, None, everything(frame), params(features={"cells": [5, 8]}))
    paris, york = h3.latlng_to_cell(48.85, 2.35, 8), h3.latlng_to_cell(40.0, -74.0, 8)
    assert encoding.vocabularies["cell_8"].ids[2:].tolist() == [paris, york]
    assert encoding.vocabularies["cell_5"].ids[2:].tolist() == [h3.cell_to_parent(cell, 5) for cell in (paris, york)]


def test_scales_are_those_of_the_training_events() -> None:
    frame = events(["a"] * 4, value=[1.0, 3.0, None, 1000.0])
    numbers = {"value": NumberParams(scale="standard", fill=FillParams(rule="median", value=0.0))}
    encoding = fit_encoding(frame, None, np.array([True, True, True, False]), params(features={"numbers": numbers}))
    scale = encoding.scales["value"]
    assert (scale.fill, scale.centre, scale.spread) == (2.0, 2.0, 1.0)


def test_a_large_log_is_scaled_by_every_kth_user(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = pl.DataFrame(
        {
            "user_id": [f"u{k}" for k in range(9)],
            "item_id": ["a"] * 9,
            "action": ["view"] * 9,
            "timestamp": times(list(range(9))),
            "value": [float(k) for k in range(9)],
        }
    )
    numbers = {"value": NumberParams(scale="min_max", fill=FillParams(rule="median", value=0.0))}
    monkeypatch.setattr(fit, "SCALE_EVENTS", 3)
    scale = fit_encoding(frame, None, everything(frame), params(features={"numbers": numbers})).scales["value"]
    assert (scale.centre, scale.spread) == (0.0, 6.0)  # users 0, 3 and 6


def test_saved_and_loaded(tmp_path) -> None:
    frame = log()
    encoding = fit_encoding(frame, None, everything(frame), params())
    encoding.save(tmp_path)
    again = Encoding.load(tmp_path)
    assert again.settings == encoding.settings
    assert again.scales == encoding.scales
    assert list(again.scales) == list(encoding.scales)  # the order of the numbers
    for kind, words in encoding.vocabularies.items():
        assert again.vocabularies[kind].ids.tolist() == words.ids.tolist()
    np.testing.assert_array_equal(again.catalogue.latitude, encoding.catalogue.latitude)


def test_an_unknown_number_is_a_config_error() -> None:
    numbers = {"mood": NumberParams(scale="none", fill=FillParams(rule="median", value=0.0))}
    with pytest.raises(ConfigError, match=r"features\.numbers\.mood"):
        fit_encoding(events(["a"]), None, np.ones(1, bool), params(features={"numbers": numbers}))


def test_a_missing_column_is_a_schema_error() -> None:
    with pytest.raises(SchemaError, match="timestamp"):
        fit_encoding(events(["a"]).drop("timestamp"), None, np.ones(1, bool), params())


def test_items_of_the_table_that_training_lacks_stand_behind_all_others() -> None:
    frame = events(["b", "b", "a", "z"])
    items = pl.DataFrame({"item_id": ["y", "x", "a", "z"], "category": ["new", "new", "old", "new"]})
    train = np.array([True, True, True, False])
    kept = fit_encoding(frame, items, train, params())
    assert (kept.n_items, kept.n_trained, kept.cold) == (4, 4, 0)
    whole = fit_encoding(frame, items, train, params(features={"vocabulary": "catalogue"}))
    assert whole.vocabularies["item"].ids[2:].tolist() == ["b", "a", "x", "y", "z"]
    assert (whole.n_items, whole.n_trained, whole.cold) == (7, 4, 3)
    words = whole.vocabularies["category"]
    assert [words.ids[code] for code in whole.catalogue.category[4:]] == ["new"] * 3
    rare = fit_encoding(frame, items, train, params(features={"vocabulary": "catalogue", "min_item_events": 2}))
    assert rare.vocabularies["item"].ids[2:].tolist() == ["b", "a", "x", "y", "z"]
    assert rare.cold == 4  # one that training met too seldom comes first of them


def test_an_encoding_remembers_which_items_are_cold(tmp_path: Path) -> None:
    items = pl.DataFrame({"item_id": ["x"]})
    whole = fit_encoding(events(["a"]), items, np.ones(1, bool), params(features={"vocabulary": "catalogue"}))
    whole.save(tmp_path)
    assert Encoding.load(tmp_path).cold == whole.cold == 1
