"""`python -m components.validate`: the stage that `components.events.validation` describes.

Never here: anything but the edge of the process.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from components.events.validation import validate
from components.events.validation_report import render
from components.params import Params
from components.stage import run_stage


def main(root: Path, params: Params, _options: argparse.Namespace) -> str:
    """Validate the workspace and show the report."""
    return render(validate(root, params))


if __name__ == "__main__":
    run_stage(main, name="validate", description="Check the snapshot of events; quarantine rows, refuse a bad batch.")
