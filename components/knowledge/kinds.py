"""Every kind of vectors by its name, and the one door to them: items in, vectors in one shape out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from components.errors import ConfigError
from components.knowledge.described import Described
from components.knowledge.file import FileOptions, file_vectors
from components.knowledge.place import PlaceOptions, place_vectors
from components.knowledge.shape import shaped
from components.knowledge.text import TextOptions, text_vectors
from components.params import Section, VectorParams

Floats = NDArray[np.float32]
KINDS: Mapping[str, type[Section]] = {"text": TextOptions, "file": FileOptions, "place": PlaceOptions}


def vectors_of(
    items: Described, sources: Mapping[str, VectorParams], root: Path, cache: Path | None
) -> dict[str, Floats]:
    """Vectors of all items from every source.

    Parameters
    ----------
    items : V of them
    sources : `features.vectors` of params, by name
    root : relative paths begin here
    cache : folder that keeps what is costly to make; None: nothing is kept

    Returns
    -------
    dict
        name → (V, m) float32, rows of length 1; 0 where a source knows nothing of an item.

    Raises
    ------
    ConfigError
        There is no such kind, or its options are not those of the kind.
    """
    found = {}
    for name, source in sources.items():
        values, known = _made(items, options_of(name, source), root, cache)
        found[name] = shaped(values, known, np.asarray(items.trained), source.dimensions)
    return found


def options_of(name: str, source: VectorParams) -> Section:
    """The options of one source, checked."""
    kind = KINDS.get(source.kind)
    key = f"features.vectors.{name}"
    if kind is None:
        raise ConfigError(f"`{key}.kind` of {', '.join(KINDS)}", found=source.kind, do="Mend params.yaml.")
    try:
        return kind.model_validate(source.options)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigError(
            f"a valid value at `{key}.options.{where}`", found=first["msg"], do="Mend params.yaml."
        ) from error


def _made(items: Described, options: Section, root: Path, cache: Path | None) -> tuple[Floats, NDArray[np.bool_]]:
    if isinstance(options, TextOptions):
        return text_vectors(items, options, root, cache)
    if isinstance(options, FileOptions):
        return file_vectors(items, options, root)
    assert isinstance(options, PlaceOptions)
    return place_vectors(items, options)
