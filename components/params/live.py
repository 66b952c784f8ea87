"""What the live service keeps of what comes in, and how it follows it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from components.params.section import Fraction, Section


class FreshParams(Section):
    """Items that came after the model was trained: counted live, beside the champion."""

    half_life_days: float = Field(gt=0)  # of what is popular among them, and of their share of all events
    most_share: float = Fraction  # of the probability that they may have together
    max_items: int = Field(ge=1)  # beyond it the least recent leave


class LiveParams(Section):
    """The live state; where it is kept comes from the environment (CHRONOTOPE_STATE), else from the workspace."""

    durability: Literal["process", "fsync"]  # what an acknowledged event survives: kill -9, or a power cut too
    retention_days: int = Field(ge=1)  # older live events leave the state; the day files keep them
    max_batch: int = Field(ge=1)  # records of one request
    follow_s: float = Field(gt=0)  # between two looks at what other workers took: how stale counts may be
    recent_mb: float = Field(gt=0)  # of events that a process keeps beside the store, as they were sent
    histories_mb: float = Field(gt=0)  # of histories that each model in use keeps packed
    feedback: dict[str, str]  # question → action: rated answers about an item that are events too
    fresh: FreshParams
