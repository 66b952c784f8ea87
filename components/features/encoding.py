"""What the integers of a store stand for, and the statistics that scale its numbers.

Fitted once on the training window (`components.features.fit`), saved in every artifact, and applied unchanged
afterwards: to later days, to the promotion window and to live requests.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from components.files import read_json, write_json, write_with
from components.once import made_once
from components.params import NumberParams

PADDING, UNKNOWN = 0, 1
#: Ids of the two reserved codes; a real id never contains a control character.
RESERVED = ("\x00padding", "\x01unknown")


@dataclass(frozen=True)
class Vocabulary:
    """Ids of one kind by their code; codes 0 and 1 are padding and unknown.

    Attributes
    ----------
    ids : (V,) object array of str; ids[0:2] are RESERVED
    """

    ids: NDArray[np.object_]

    def __len__(self) -> int:
        return len(self.ids)

    @made_once
    def code_of(self) -> Mapping[str, int]:
        """Id → code of the real ids."""
        return {str(name): code for code, name in enumerate(self.ids) if code > UNKNOWN}

    def encode(self, names: pl.Series) -> NDArray[np.int32]:
        """Codes of a string column; null → padding, not in the vocabulary → unknown."""
        table = pl.DataFrame(
            {"id": list(self.ids[2:]), "code": np.arange(2, len(self.ids), dtype=np.int32)},
            schema={"id": pl.String, "code": pl.Int32},
        )
        found = pl.DataFrame({"id": names.cast(pl.String)}).join(table, on="id", how="left", maintain_order="left")
        code = pl.when(pl.col("id").is_null()).then(PADDING).otherwise(pl.col("code").fill_null(UNKNOWN))
        return found.select(code.cast(pl.Int32).alias("code"))["code"].to_numpy()

    @classmethod
    def of(cls, names: list[str]) -> Vocabulary:
        """Vocabulary of the given distinct real ids, in the given order."""
        return cls(np.array([*RESERVED, *names], dtype=object))


@dataclass(frozen=True)
class Scale:
    """How one numeric column becomes a model input: fill, transform, then (x - centre) / spread."""

    params: NumberParams
    fill: float
    centre: float
    spread: float


@dataclass(frozen=True)
class Catalogue:
    """Attributes of the V items, by item code; row 0 and 1 (padding, unknown) are empty.

    Attributes
    ----------
    category : (V,) int32 code into `Encoding.vocabularies["category"]`
    latitude, longitude : (V,) float32 degrees; NaN = the item has no place. From the item table, else the
        median of its training events' places.
    price : (V,) float32, NaN = unknown
    title, text : (V,) object array of str
    tags : (V,) object array of str, an item's tags joined by line feeds
    """

    category: NDArray[np.int32]
    latitude: NDArray[np.float32]
    longitude: NDArray[np.float32]
    price: NDArray[np.float32]
    title: NDArray[np.object_]
    text: NDArray[np.object_]
    tags: NDArray[np.object_]

    def up_to(self, price: float) -> NDArray[np.bool_]:
        """(V,) whether an item has a known price, and none above this one, at least 0 and however large."""
        return self.price <= np.float32(min(price, float(np.finfo(np.float32).max)))  # NaN compares as False


def resolution_of(cells: str) -> int:
    """H3 resolution of a vocabulary or column of cells."""
    return int(cells.removeprefix("cell_"))


@dataclass(frozen=True)
class Encoding:
    """Vocabularies of item, action, device, category and cell_<r>; scales of the numbers; the catalogue.

    `settings` holds what must be equal offline and online: H3 resolutions, session gap, time zone, country,
    the order of the numbers, time kind. The last `cold` items of the vocabulary are those that the networks did not
    train on: the item table knows them, and training lacked them or had too few of their events.
    """

    vocabularies: Mapping[str, Vocabulary]
    scales: Mapping[str, Scale]  # in the order of Store.numbers' columns
    catalogue: Catalogue
    settings: Mapping[str, object]
    cold: int = 0

    @property
    def n_items(self) -> int:
        """Rows of the catalogue, padding and unknown included."""
        return len(self.vocabularies["item"])

    @property
    def n_trained(self) -> int:
        """Codes below this are padding, unknown, and the items that networks train on."""
        return self.n_items - self.cold

    @made_once
    def cells(self) -> tuple[str, ...]:
        """Names of the vocabularies of cells, the coarsest first."""
        return tuple(sorted((kind for kind in self.vocabularies if kind.startswith("cell_")), key=resolution_of))

    def save(self, folder: Path) -> None:
        """Write `vocabulary.parquet`, `catalogue.parquet` and `encoding.json`."""
        folder.mkdir(parents=True, exist_ok=True)
        words = pl.concat(
            [
                pl.DataFrame(
                    {
                        "kind": [kind] * (len(v) - 2),
                        "code": np.arange(2, len(v), dtype=np.int32),
                        "id": list(v.ids[2:]),
                    },
                    schema={"kind": pl.String, "code": pl.Int32, "id": pl.String},
                )
                for kind, v in sorted(self.vocabularies.items())
            ]
        )
        items = pl.DataFrame(
            {name: getattr(self.catalogue, name) for name in ("category", "latitude", "longitude", "price")}
            | {name: list(getattr(self.catalogue, name)) for name in ("title", "text", "tags")}
        )
        write_with(folder / "vocabulary.parquet", lambda path: words.write_parquet(path))
        write_with(folder / "catalogue.parquet", lambda path: items.write_parquet(path))
        scales = {
            name: {"params": s.params.model_dump(), "fill": s.fill, "centre": s.centre, "spread": s.spread}
            for name, s in self.scales.items()
        }
        write_json(
            folder / "encoding.json",
            {
                "settings": dict(self.settings),
                "scales": scales,
                "numbers": list(self.scales),
                "kinds": sorted(self.vocabularies),
                "cold": self.cold,
            },
        )

    @classmethod
    def load(cls, folder: Path) -> Encoding:
        """Read what `save` wrote."""
        record = read_json(folder / "encoding.json")
        words = pl.read_parquet(folder / "vocabulary.parquet").sort("kind", "code")
        items = pl.read_parquet(folder / "catalogue.parquet")
        scales = {}
        for name in record["numbers"]:
            one = record["scales"][name]
            scales[name] = Scale(NumberParams.model_validate(one["params"]), one["fill"], one["centre"], one["spread"])
        return cls(
            vocabularies={
                kind: Vocabulary.of(words.filter(pl.col("kind") == kind)["id"].to_list()) for kind in record["kinds"]
            },
            scales=scales,
            catalogue=Catalogue(
                **{name: items[name].to_numpy() for name in ("category", "latitude", "longitude", "price")},
                **{name: np.array(items[name].to_list(), dtype=object) for name in ("title", "text", "tags")},
            ),
            settings=record["settings"],
            cold=int(record.get("cold", 0)),  # artifacts of an older version have none
        )
