"""`python -m bento.build --workspace DIR`: the champion and the code that serves it as one Bento; prints its tag.

What is packed: the packages `components` and `bento`, and under `workspace/` the params, the promotion log and the
champion's artifact, verified first. The pins are those of requirements.lock: nothing is resolved or installed here,
and no package index is written into the Bento. Events, other models and run histories stay at home.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path

from components.errors import ChronotopeError, PromotionError
from components.registry.artifact import verify
from components.registry.promotions import Entry, current
from components.workspace import Workspace

PACKAGES = Path(__file__).resolve().parents[1]
LOCK = "requirements.lock"


def assemble(root: Path, context: Path) -> Entry:
    """Put everything that a Bento of the workspace's champion holds into an empty folder.

    Parameters
    ----------
    root : the workspace
    context : where to; its `workspace/` can be served as it is

    Returns
    -------
    Entry
        The promotion that is packed.

    Raises
    ------
    PromotionError
        Nothing was promoted yet, or the pins are not beside the packages.
    IntegrityError
        The promotion log or the artifact is not what was promoted.
    """
    source, out = Workspace(root), Workspace(context / "workspace")
    entry = current(root)
    if entry is None:
        raise PromotionError("a champion to pack", found=f"no promotion in {root}", do="Run `chronotope run`.")
    if not (PACKAGES / LOCK).is_file():
        raise PromotionError(f"{LOCK} beside the packages", found=f"none in {PACKAGES}", do="Build from a checkout.")
    verify(source.artifact(entry.digest), entry.digest)
    for package in ("components", "bento"):
        shutil.copytree(PACKAGES / package, context / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(source.promotions, out.promotions)
    shutil.copytree(source.artifact(entry.digest), out.artifact(entry.digest))
    shutil.copy(source.params, out.params)
    return entry


def build(root: Path) -> str:
    """Build the Bento of a workspace's champion into `.chronotope/bentoml` (or BENTOML_HOME).

    Returns
    -------
    str
        Its tag, `chronotope:<version>`.
    """
    os.environ.setdefault("BENTOML_HOME", str(Workspace(root).state.absolute() / "bentoml"))
    os.environ.setdefault("BENTOML_ENABLE_FEATURES", "no_image")  # its newer way installs a resolver into this Python
    Path(os.environ["BENTOML_HOME"]).mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="chronotope-bento-") as folder:
        context = Path(folder)
        entry = assemble(root, context)
        os.environ["CHRONOTOPE_WORKSPACE"] = str(context / "workspace")  # BentoML imports the service as it packs it
        import bentoml  # after its environment

        bento = bentoml.bentos.build(
            "bento.service:Chronotope",
            name="chronotope",
            labels={"model": entry.model, "promotion": str(entry.sequence), "artifact": entry.digest[:12]},
            include=["components/**", "bento/**", "workspace/**"],
            python={"packages": (PACKAGES / LOCK).read_text().split(), "lock_packages": False},
            build_ctx=folder,
        )
    return str(bento.tag)


def main() -> int:
    """Build and print the tag; an error is one message."""
    parser = argparse.ArgumentParser(prog="python -m bento.build", description="Pack the champion as a Bento.")
    parser.add_argument("--workspace", type=Path, default=Path(), help="folder of the workspace (default: here)")
    try:
        tag = build(parser.parse_args().workspace.resolve())
    except ChronotopeError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    sys.stdout.write(f"{tag}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
