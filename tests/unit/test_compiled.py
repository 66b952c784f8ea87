"""What is kept of a compiled loop is used no more once a loop that it calls has changed, in whichever file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT

_INNER = "from components.compiled import compiled\n\n\n@compiled\ndef inner(x: int) -> int:\n    return x + {by}\n"
_OUTER = """from components.compiled import compiled
from components.inner import (
    inner,
)


@compiled
def outer(x: int) -> int:
    return inner(x)
"""
_ASK = "from components.outer import outer; print(outer(1), len(outer.stats.cache_hits))"


def _copy(root: Path) -> None:
    """A package with nothing but what compiles, and two files of loops, one of which calls the other's."""
    (root / "components").mkdir()
    (root / "components" / "__init__.py").write_text("")
    (root / "components" / "compiled.py").write_text((ROOT / "components" / "compiled.py").read_text("utf-8"))
    (root / "components" / "outer.py").write_text(_OUTER)


def _asked(root: Path) -> list[str]:
    command = [sys.executable, "-B", "-c", _ASK]  # what Python keeps tells seconds apart, and no less
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True, timeout=120)
    return done.stdout.split()


def test_a_loop_is_compiled_again_when_one_that_it_calls_has_changed(tmp_path: Path) -> None:
    _copy(tmp_path)
    inner = tmp_path / "components" / "inner.py"
    inner.write_text(_INNER.format(by=10))
    assert _asked(tmp_path) == ["11", "0"]
    assert _asked(tmp_path) == ["11", "1"], "what was compiled is kept"
    inner.write_text(_INNER.format(by=20))
    assert _asked(tmp_path) == ["21", "0"]
