"""Items by what is written about them: their fields as one text, read by a pretrained language model.

Each distinct text is read once, and never again while model and text stay the same: what was read is kept beside the
workspace, named by the digest of both. The model's weights are not changed. Never reads an event.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from components.errors import IntegrityError
from components.files import digest_of, write_with
from components.knowledge.described import Described
from components.language.folders import digest_of_model, locate
from components.params import Section

Floats = NDArray[np.float32]
Texts = Literal["title", "category", "tags", "text"]
_LOG = logging.getLogger("chronotope.knowledge")
_CHUNK = 2048  # texts between two words of progress
_QUIET_S = 5.0


class TextOptions(Section):
    """Options of the kind."""

    model: str  # a folder, package:NAME/FOLDER, or hub:OWNER/NAME (components.language.folders)
    fields: list[Texts] = Field(min_length=1)  # in this order
    batch: int = Field(ge=1)  # texts read at once


def written(items: Described, fields: Sequence[Texts]) -> list[str]:
    """One text an item: the fields that it has, each said once; "" where it has none.

    Examples
    --------
    >>> from components.knowledge.described import Described
    >>> one = Described(["a"], np.ones(1, bool), ["Tea"], ["Drinks"], ["Tea"], ["hot\\ngreen"], np.ones(1), np.ones(1))
    >>> written(one, ["title", "category", "tags", "text"])
    ['Tea. Drinks. hot, green']
    """
    columns = [[", ".join(one.split("\n")) for one in getattr(items, field)] for field in fields]
    rows = zip(*columns, strict=True)
    return [". ".join(dict.fromkeys(part for part in (one.strip() for one in row) if part)) for row in rows]


def text_vectors(
    items: Described, options: TextOptions, root: Path, cache: Path | None
) -> tuple[Floats, NDArray[np.bool_]]:
    """(V, m) vectors of the items' texts, and (V,) which have one.

    Parameters
    ----------
    items : V of them
    options : the model, and what is read
    root : a folder of a model is looked for from here
    cache : folder of what was read before; None: it is read anew

    Raises
    ------
    ConfigError
        The extra is not installed, or there is no such model.
    """
    texts = written(items, options.fields)
    known = np.array([bool(text) for text in texts], bool)
    distinct = sorted(set(texts) - {""})
    model = options.model if ":" in options.model else str(root / options.model)
    read = _kept(distinct, model, options.batch, cache)
    row_of = {text: row for row, text in enumerate(distinct)}
    values = np.zeros((len(texts), read.shape[1]), np.float32)
    values[known] = read[[row_of[text] for text in texts if text]]
    return values, known


def _kept(texts: Sequence[str], model: str, batch: int, cache: Path | None) -> Floats:
    """Vectors of distinct texts, from the cache where they are in it."""
    if cache is None:
        return _read(texts, model, batch)
    path = cache / f"{digest_of([digest_of_model(locate(model)), list(texts)])}.npy"
    if path.is_file():
        return _loaded(path, len(texts))
    values = _read(texts, model, batch)

    def put(temporary: Path) -> None:
        with temporary.open("wb") as stream:
            np.save(stream, values, allow_pickle=False)

    write_with(path, put)
    return values


def _loaded(path: Path, count: int) -> Floats:
    try:
        values = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise IntegrityError(f"a whole array at {path}", found=str(error), do="Remove it: it is made again.") from error
    if values.ndim != 2 or len(values) != count or values.dtype != np.float32 or not np.isfinite(values).all():
        raise IntegrityError(
            f"{count} vectors at {path}",
            found=f"{values.dtype} of shape {values.shape}, or numbers that are not finite",
            do="Remove it: it is made again.",
        )
    return np.asarray(values)


def _read(texts: Sequence[str], name: str, batch: int) -> Floats:
    from components.language.pretrained import load_pretrained  # torch and transformers take seconds

    model = load_pretrained(name)
    parts = [np.zeros((0, model.width), np.float32)]
    parts += [model.embed(texts[part], batch) for part in _chunks(len(texts))]
    return np.concatenate(parts)


def _chunks(count: int) -> Iterator[slice]:
    """Slices of `count` texts, with a word of progress now and then."""
    begin = said = time.monotonic()
    for start in range(0, count, _CHUNK):
        now = time.monotonic()
        if now - said > _QUIET_S:
            said = now
            _LOG.info("read %d of %d texts, %.0f s left", start, count, (now - begin) / start * (count - start))
        yield slice(start, start + _CHUNK)
