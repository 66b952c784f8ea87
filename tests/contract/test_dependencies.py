"""What the code imports is declared, what is declared is imported or says why, and pins agree with the lock."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
#: Where it is not the name with other hyphens.
MODULES = {"scikit-learn": "sklearn", "pyyaml": "yaml"} | dict.fromkeys(
    ("opentelemetry-api", "opentelemetry-sdk"), "opentelemetry"
)
OURS = {"components", "flows", "bento", "tests", "benchmarks"}


def name_of(line: str) -> str:
    return re.split(r"[=<>\[]", line)[0].lower().replace("_", "-")


def module_of(name: str) -> str:
    return MODULES.get(name, name.replace("-", "_"))


def pins(lines: list[str]) -> dict[str, str]:
    """Name → version of what is pinned."""
    return {name_of(one): one.partition("==")[2] for one in lines}


@cache
def imported(*rooms: str) -> set[str]:
    """Top modules of other people's, also those that are imported by name."""
    found: set[str] = set()
    for path in (path for room in rooms for path in (ROOT / room).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                found.add(str(node.module))
            elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") in {"import_module", "importorskip"}:
                found |= {one.value for one in node.args if isinstance(one, ast.Constant)}
    return {name.partition(".")[0] for name in found} - set(sys.stdlib_module_names) - OURS


DIRECT = pins(PROJECT["dependencies"])
EXTRA = PROJECT["optional-dependencies"]


def test_what_the_product_imports_is_declared() -> None:
    known = {
        module_of(name) for name in (*DIRECT, *pins(EXTRA["text"]), *pins(EXTRA["onnx"]), *pins(EXTRA["postgres"]))
    }
    assert imported("components", "flows", "bento") - known - {"_bentoml_sdk"} == set()  # a part of bentoml


@pytest.mark.parametrize("name", sorted(DIRECT))
def test_what_is_declared_is_imported_or_says_why(name: str) -> None:
    if module_of(name) in imported("components", "flows", "bento"):
        return
    line = next(
        one for one in (ROOT / "pyproject.toml").read_text().splitlines() if f'"{name}==' in one.replace("_", "-")
    )
    assert "# not imported" in line


def test_pins_are_exact_and_those_of_the_lock() -> None:
    lock = pins((ROOT / "requirements.lock").read_text().splitlines())
    exact = DIRECT | pins(EXTRA["text"]) | pins(EXTRA["onnx"])
    assert all(exact.values())
    differ = {name: (pin, lock.get(name)) for name, pin in exact.items() if lock.get(name) not in {pin, None}}
    assert not differ
    assert set(exact) - set(lock) == set()
