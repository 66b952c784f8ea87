"""The findings of all rooms as a person reads them: tables, sentences, pictures, one HTML file, whole in itself."""

from components.evolution.report.guard import guarded
from components.evolution.report.page import render
from components.evolution.report.tables import tables

__all__ = ["guarded", "render", "tables"]
