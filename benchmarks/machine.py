"""What a measurement ran on, for the record beside it: the processor, threads, and how busy the machine was."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

import torch

_WIDE = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")  # what decides how fast products are, and of which type


def machine() -> dict[str, Any]:
    """Processor and its vector units, cores, threads of torch, its version, and the load average at this moment."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    name = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), None)
    flags = next((line.split() for line in lines if line.startswith("flags")), [])
    return {
        "processor": name or platform.processor(),
        "units": [flag for flag in _WIDE if flag in flags],
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "load_average": [round(one, 1) for one in os.getloadavg()],
    }
