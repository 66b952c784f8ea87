"""The report that a person reads: one HTML file that needs nothing but itself. `render` is all of it."""

from components.evaluation.report.page import render

__all__ = ["render"]
