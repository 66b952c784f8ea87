"""Where users stand in their life cycle, how they move through it, who will be lost, and what to expect of each.

Judged by each user's own rhythm, from events alone. Never here: what anyone should do about it, or a ranking of items.
"""

from components.evolution.lifecycle.report import Lifecycle, lifecycle

__all__ = ["Lifecycle", "lifecycle"]
