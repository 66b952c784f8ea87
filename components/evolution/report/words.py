"""How figures are said: shares, counts, intervals, chances.

Never here: which figures are said.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

Say = Callable[[float | None], str]


def number(value: float | None) -> str:
    """A figure with three digits after the point, a true minus, a dash for nothing."""
    return "–" if value is None else f"{value:,.3f}".replace("-", "−")


def one_digit(value: float | None) -> str:
    """A figure with one digit after the point."""
    return "–" if value is None else f"{value:,.1f}".replace("-", "−")


def share(value: float | None) -> str:
    """A share as per cent."""
    return "–" if value is None else f"{100 * value:.1f}%".replace("-", "−").replace(".0%", "%")


def signed_points(value: float | None) -> str:
    """A difference of shares in points."""
    return "–" if value is None else f"{100 * value:+.1f}".replace("-", "−")


def count(value: int) -> str:
    """A count with separators."""
    return f"{value:,}"


def few(value: int | None, least: int) -> str:
    """A count of people; one that is not told is of too few."""
    return f"fewer than {least}" if value is None else "none" if value == 0 else count(value)


def estimate(one: Mapping[str, float | None], say: Say = number) -> str:
    """A figure and its interval, where it has one."""
    low, high = one.get("low"), one.get("high")
    interval = "" if low is None or high is None else f" ({say(low)} to {say(high)})"
    return say(one["value"]) + interval


def p_words(p: float | None) -> str:
    """A p-value."""
    return "p unknown" if p is None else f"p = {p:.3f}" if p >= 0.001 else "p < 0.001"
