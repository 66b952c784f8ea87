"""The artifact: one folder that holds everything needed to serve, explain and reproduce a trained model.

    config.json weights.safetensors memory/ …   what the predictor saved, byte for byte as it was judged
    vocabulary.parquet catalogue.parquet encoding.json   what its integers stand for
    histories/                                  the packed last events of each user
    lineage.json card.md                        where it comes from; what it is for
    MANIFEST                                    size and sha256 of each file

Its digest is that of the MANIFEST, and the name of its folder. `load_artifact` verifies before anything is
deserialised; nothing in an artifact is ever executed. Never here: whether it deserves promotion.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.errors import ConfigError, IntegrityError, UnsafeFileError
from components.features.encoding import Encoding
from components.features.store import WINDOWS, Store
from components.files import digest_of, fault, replace_folder, sha256_file, write_json, write_text
from components.predictor import Predictor
from components.registry.safe import MAX_FILES, check_file, check_relative, parse_json, walk
from components.registry.smoke import smoke

FORMAT = "chronotope-artifact/1"
MANIFEST = "MANIFEST"
#: Files that tell about the model and do not answer queries: they are not part of its content digest.
ABOUT = ("lineage.json", "card.md")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_MAX_MANIFEST_BYTES = 8 << 20
_DO = "Do not use this artifact; fetch it again from the registry, or train again."

Load = Callable[[Path], Predictor]


@dataclass(frozen=True)
class Manifest:
    """What an artifact holds.

    Attributes
    ----------
    digest : of the MANIFEST file: the artifact's name
    content : of the files that answer queries: equal for two artifacts that answer alike
    sizes : relative path → bytes
    """

    digest: str
    content: str
    sizes: Mapping[str, int]

    @property
    def size_mb(self) -> float:
        """Size of all files in MB (10⁶ bytes)."""
        return sum(self.sizes.values()) / 1e6


@dataclass(frozen=True)
class LoadedArtifact:
    """A verified artifact, ready to answer.

    Attributes
    ----------
    folder : where it was read from
    manifest : what it holds
    name : of the model
    predictor : as it was judged, or caught up with the histories (see `load_artifact`)
    encoding : what its integers stand for
    histories : the last events of each user when it was packed
    lineage : where it comes from
    """

    folder: Path
    manifest: Manifest
    name: str
    predictor: Predictor
    encoding: Encoding
    histories: Store
    lineage: Mapping[str, Any]

    @property
    def digest(self) -> str:
        """The artifact's name."""
        return self.manifest.digest


def recent(store: Store, last: int) -> Store:
    """The part of a store that serving needs: each user's last events, and all after the training window.

    Parameters
    ----------
    store : the whole log
    last : events of each user

    Returns
    -------
    Store
        Same encoding; users in the same order, those without events left out.
    """
    rows = np.arange(store.n_events)
    end = np.repeat(store.offsets[1:], np.diff(store.offsets))
    keep = (end - rows <= last) | (np.asarray(store["window"]) > WINDOWS["train"])
    count = np.bincount(store.user[keep], minlength=store.n_users)
    return Store(
        users=store.users[count > 0],
        offsets=np.concatenate([[0], np.cumsum(count[count > 0])]).astype(np.int64),
        columns={name: np.asarray(column)[keep] for name, column in store.columns.items()},
        numbers=np.asarray(store.numbers)[keep],
        missing=np.asarray(store.missing)[keep],
        encoding=store.encoding,
    )


def compose(
    artifacts: Path, model: Path, store: Store, *, name: str, history: int, lineage: Mapping[str, Any], card: str
) -> Manifest:
    """Pack a saved predictor into `artifacts/<digest>/`, whole or not at all; packing the same twice changes nothing.

    Parameters
    ----------
    artifacts : folder of all artifacts
    model : what Predictor.save wrote
    store : the log that it was trained on, with the encoding that it was trained with
    name : of the model
    history : events of each user that serving needs
    lineage : record of `registry.lineage`
    card : Markdown of `registry.card`
    """
    building = artifacts / f".packing-{os.getpid()}-{name}"
    with replace_folder(building) as out:
        _copy(model, out)
        recent(store, history).save(out / "histories")
        shutil.rmtree(out / "histories" / "encoding")
        for own in ("vocabulary.parquet", "catalogue.parquet", "encoding.json", *ABOUT, MANIFEST):
            if (out / own).exists():
                raise ConfigError(f"a model without a file {own}", found=f"one in {model}", do="Give it another name.")
        store.encoding.save(out)
        files = _files(out)
        content = digest_of(files)
        write_json(out / "lineage.json", {**lineage, "model": name, "content": content})
        write_text(out / "card.md", card)
        write_json(out / MANIFEST, {"format": FORMAT, "content": content, "files": _files(out)})
    digest = sha256_file(building / MANIFEST)
    fault("before-artifact")
    if (artifacts / digest).exists():
        shutil.rmtree(building)
    else:
        building.rename(artifacts / digest)
    return verify(artifacts / digest, digest)


def _copy(source: Path, out: Path) -> None:
    for path in sorted(source.rglob("*")):
        if path.is_file():
            target = out / path.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)


def _files(folder: Path) -> dict[str, dict[str, Any]]:
    return {
        name: {"bytes": status.st_size, "sha256": sha256_file(folder / name)} for name, status in sorted(walk(folder))
    }


def verify(folder: Path, digest: str | None = None) -> Manifest:
    """Check every byte of an artifact before any of it is used.

    Parameters
    ----------
    folder : the artifact
    digest : that its MANIFEST must have; default: that of the folder's name, if it is one

    Raises
    ------
    IntegrityError
        Something is missing, damaged, or not what the MANIFEST says.
    UnsafeFileError
        A link, a path that leads outside, a pickle, an archive, a header or shape that does not fit.
    """
    path = folder / MANIFEST
    if folder.is_symlink() or path.is_symlink() or not path.is_file():
        raise UnsafeFileError(f"a plain folder with a {MANIFEST}", found=f"none at {folder}", do=_DO)
    if path.stat().st_size > _MAX_MANIFEST_BYTES:
        raise UnsafeFileError(f"a {MANIFEST} of at most {_MAX_MANIFEST_BYTES:,} bytes", found="more", do=_DO)
    data = path.read_bytes()
    found = hashlib.sha256(data).hexdigest()
    if digest is None and _DIGEST.fullmatch(folder.name):
        digest = folder.name
    if digest is not None and found != digest:
        raise IntegrityError(f"a {MANIFEST} of digest {digest}", found=f"{found} in {folder}", do=_DO)
    expected, content = _read_manifest(data)
    sizes = {name: status.st_size for name, status in walk(folder) if name != MANIFEST}
    for what, names in (("missing", set(expected) - set(sizes)), ("extra", set(sizes) - set(expected))):
        if names:
            raise IntegrityError(
                f"exactly the files of the {MANIFEST}", found=f"{what}: {', '.join(sorted(names)[:5])}", do=_DO
            )
    for name, (size, sha) in sorted(expected.items()):
        actual = sha256_file(folder / name) if sizes[name] == size else f"{sizes[name]:,} bytes"
        if actual != sha:
            raise IntegrityError(
                f"{name} of {size:,} bytes with digest {sha}", found=f"{actual} at {folder / name}", do=_DO
            )
        check_file(folder / name, name)
    if digest_of({n: {"bytes": s, "sha256": d} for n, (s, d) in expected.items() if n not in ABOUT}) != content:
        raise IntegrityError("a content digest of the listed files", found=f"another in {folder}", do=_DO)
    return Manifest(found, content, sizes)


def _read_manifest(data: bytes) -> tuple[dict[str, tuple[int, str]], str]:
    record = parse_json(data, MANIFEST)
    if not isinstance(record, dict) or record.get("format") != FORMAT or not isinstance(record.get("files"), dict):
        raise IntegrityError(f"a {MANIFEST} of format {FORMAT}", found="another", do=_DO)
    if len(record["files"]) > MAX_FILES:
        raise UnsafeFileError(f"at most {MAX_FILES:,} files", found=f"{len(record['files']):,}", do=_DO)
    files = {}
    for name, one in record["files"].items():
        check_relative(name)
        if not isinstance(one, dict) or set(one) != {"bytes", "sha256"}:
            raise IntegrityError(f"bytes and sha256 of {name}", found=repr(one)[:80], do=_DO)
        files[name] = (one["bytes"], one["sha256"])
    return files, str(record.get("content"))


def load_artifact(
    folder: Path, digest: str | None = None, *, catch_up: bool = True, load: Load | None = None
) -> LoadedArtifact:
    """Verify an artifact, load it, and ask it a few queries.

    Parameters
    ----------
    folder : the artifact
    digest : that its MANIFEST must have
    catch_up : tell the predictor the events after its training window, which the artifact holds: what serving
        needs. False leaves it as it was fitted: what a judge needs, who asks about those events
    load : reads the saved predictor; default: `components.learners.load`

    Raises
    ------
    IntegrityError
        As `verify`; or the predictor does not load, or its answers are not probabilities.
    """
    manifest = verify(folder, digest)
    try:
        lineage = parse_json((folder / "lineage.json").read_bytes(), "lineage.json")
        encoding = Encoding.load(folder)
        histories = Store.load(folder / "histories", verify=False, encoding=encoding)
        predictor = (load or _load)(folder)
        name = str(lineage["model"])
    except (KeyError, ValueError, TypeError, AttributeError, RuntimeError, OSError) as error:
        raise IntegrityError(
            f"a loadable artifact in {folder}", found=f"{type(error).__name__}: {str(error)[:200]}", do=_DO
        ) from error
    if catch_up:
        predictor.update(histories, later(histories))
    smoke(predictor, histories, str(folder))
    return LoadedArtifact(folder, manifest, name, predictor, encoding, histories, lineage)


def _load(folder: Path) -> Predictor:
    from components import learners  # torch takes seconds; `verify` does without

    return learners.load(folder)


def later(store: Store) -> NDArray[np.int64]:
    """Rows of the events after the training window, oldest first."""
    rows = np.flatnonzero(np.asarray(store["window"]) > WINDOWS["train"])
    return rows[np.argsort(np.asarray(store["time_s"])[rows], kind="stable")]
