"""The search of better params: trials on rolling time folds, kept by Optuna, resumable, told to MLflow.

    python -m flows.cli search --workspace DIR

A trial is params.yaml with a few keys changed (`search.space`). It is trained on the past of each fold and judged on
the span that follows; its value is the mean of `evaluation.primary`. All folds lie before the blend window: what
models are blended, reported and promoted by is never read here. Nothing is promoted, and nothing but `search.apply`
writes params.yaml.
"""

from components.search.run import Found, search

__all__ = ["Found", "search"]
