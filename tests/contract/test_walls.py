"""The walls between the rooms: who may import whom (docs/architecture.md)."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

#: Lowest first; a room imports only itself and what stands lower. Rooms on one line do not know each other.
LAYERS = [
    {"errors", "once", "compiled"},
    {"files", "params", "code"},
    {"workspace", "stage", "language"},
    {"events", "knowledge"},
    {"features"},
    {"evolution"},
    {"predictor"},
    {"memory", "models", "evaluation", "observers"},
    {"training", "baselines"},
    {"compression"},
    {"ranking", "export"},
    {"learners", "explanation"},
    {"registry"},
    {"serving", "presets", "search", "updating"},
    {"experiments"},
    {"benchmark"},
]
#: Stage commands stand at the edge: they may import anything below the registry.
EDGES = {"validate", "train", "compress", "blend", "evaluate", "evolve"}
#: Engines, and the only place that imports each.
ENGINES = {
    "numba": "components/compiled.py",
    "prefect": "flows/",
    "bentoml": "bento/",
    "mlflow": "components/registry/tracking/",
    "great_expectations": "components/events/expectations.py",
    "typer": "flows/cli/",
    "dvc": "flows/stages.py",
    "onnx": "components/export/",
    "onnxruntime": "components/export/",
    "optuna": "components/search/",
    "captum": "components/explanation/gradients.py",
    "transformers": "components/language/",
    "peft": "components/language/",
    "huggingface_hub": "components/language/",
}
FILES = sorted(p for top in ("components", "flows", "bento") for p in (ROOT / top).rglob("*.py"))


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def room(name: str) -> str:
    parts = name.split(".")
    return parts[1] if parts[0] == "components" and len(parts) > 1 else ""


def layer(of: str) -> int:
    return next((depth for depth, rooms in enumerate(LAYERS) if of in rooms), len(LAYERS))


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_imports_point_downwards(path: Path) -> None:
    relative = path.relative_to(ROOT)
    mine = relative.parts[1].removesuffix(".py") if relative.parts[0] == "components" else relative.parts[0]
    for name in imports(path):
        top = name.split(".")[0]
        if relative.parts[0] == "components":
            assert top not in {"flows", "bento"}, f"{relative} imports {name}"
            other = room(name)
            if other and other != mine and mine not in EDGES and mine != "__init__":
                assert layer(other) < layer(mine), f"{relative} imports {name}, which stands no lower"
        if relative.parts[0] == "bento":
            assert top != "flows", f"{relative} imports {name}"


@pytest.mark.parametrize(("engine", "place"), ENGINES.items())
def test_each_engine_has_one_place(engine: str, place: str) -> None:
    users = [p.relative_to(ROOT).as_posix() for p in FILES if engine in {n.split(".")[0] for n in imports(p)}]
    strangers = [user for user in users if not user.startswith(place)]
    assert not strangers, f"{engine} is imported outside {place}: {strangers}"


def test_no_pickle_anywhere() -> None:
    for path in FILES:
        names = {name.split(".")[0] for name in imports(path)}
        assert not names & {"pickle", "cloudpickle", "joblib", "dill", "shelve"}, path
        text = path.read_text()
        assert "torch.load(" not in text, path
        assert "allow_pickle=True" not in text, path
