"""Runs baselines and models on any supported log under any protocol, and says what came out, with intervals.

Params come from `components.presets`, cut to what the data has. Every (model, seed) that is done is kept beside the
JSON, so a run that was stopped goes on where it was. Nothing here is tuned on the test window, and no figure is
written down that was not measured in this run or in the part of it that is kept.
"""

from components.benchmark.load import RULES, Options
from components.benchmark.result import BenchmarkResult, Row
from components.benchmark.run import benchmark

__all__ = ["RULES", "BenchmarkResult", "Options", "Row", "benchmark"]
