"""Classifiers as plain arrays: fitted by scikit-learn, answered here, so that nothing is ever unpickled.

Trees are flat tables of nodes in which a leaf leads to itself; all trees of all rows take one step at a time.
Never here: what the columns mean.

References: Breiman, 2001 (forests); Ke et al., NeurIPS 2017 (histogram boosting); Platt, 1999 (calibration).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from components.errors import IntegrityError

Rows = NDArray[np.float32]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
#: Rows that are sent down the trees at a time.
_ROWS = 512


@dataclass(frozen=True)
class _Arrays:
    """A record of arrays that comes back from a folder."""

    whole: ClassVar[frozenset[str]] = frozenset()  # fields of integers

    def state(self) -> dict[str, NDArray]:
        """The arrays by name."""
        return {one.name: getattr(self, one.name) for one in fields(self)}

    @classmethod
    def read(cls, arrays: Mapping[str, NDArray], prefix: str, where: str) -> Self:
        """What `state` gave, under `prefix`.

        Raises
        ------
        IntegrityError
            A value is not finite, or shapes contradict each other.
        """
        found: dict[str, NDArray] = {}
        for one in fields(cls):
            array = np.asarray(arrays[f"{prefix}.{one.name}"])
            if not np.isfinite(array).all():
                raise _damaged(where, f"{prefix}.{one.name} is not finite")
            found[one.name] = array.astype(np.int64 if one.name in cls.whole else np.float64)
        made = cls(**found)
        wrong = made.wrong()
        if wrong:
            raise _damaged(where, f"{prefix}: {wrong}")
        return made

    def wrong(self) -> str:
        """What contradicts itself; empty = nothing."""
        return ""


def _damaged(where: str, found: str) -> IntegrityError:
    return IntegrityError(
        f"a whole classifier in {where}", found=found, do="Train again, or bring the folder back from DVC."
    )


@dataclass(frozen=True)
class Trees(_Arrays):
    """T trees with N nodes in all.

    Attributes
    ----------
    feature, left, right : (N,) column asked about, and where a row goes that is at most / above the threshold
    threshold : (N,)
    value : (N, C) what a leaf adds
    root : (T,)
    base : (C,) what every row begins with
    form : (2,) 1 where sums go through a softmax, else they are divided by T; depth of the deepest tree
    """

    whole = frozenset({"feature", "left", "right", "root", "form"})

    feature: Ints
    threshold: Floats
    left: Ints
    right: Ints
    value: Floats
    root: Ints
    base: Floats
    form: Ints

    def predict(self, rows: Rows) -> Floats:
        """(n, C) probabilities of rows (n, F)."""
        parts = [self._predict(rows[start : start + _ROWS]) for start in range(0, len(rows), _ROWS)]
        return np.concatenate(parts) if parts else np.zeros((0, len(self.base)))

    def _predict(self, rows: Rows) -> Floats:
        node = np.broadcast_to(self.root, (len(rows), len(self.root)))
        line = np.arange(len(rows))[:, None]
        for _ in range(int(self.form[1])):
            down = rows[line, self.feature[node]] <= self.threshold[node]
            node = np.where(down, self.left[node], self.right[node])
        total = self.base + self.value[node].sum(axis=1)
        return np.asarray(softmax(total, axis=1) if self.form[0] else total / len(self.root), np.float64)

    def fits(self, columns: int, classes: int) -> bool:
        """Whether rows of so many columns can be asked for so many classes."""
        return bool((self.feature < columns).all()) and len(self.base) == classes

    def wrong(self) -> str:
        n = len(self.feature)
        if {len(self.threshold), len(self.left), len(self.right), len(self.value)} != {n}:
            return "columns of different lengths"
        if self.value.ndim != 2 or self.value.shape[1] != len(self.base) or self.form.shape != (2,):
            return "values of another number of classes"
        if not 0 <= self.form[1] <= n:
            return "a depth of more than its nodes"
        nodes = np.concatenate([self.left, self.right, self.root])
        return "nodes that are not there" if (nodes < 0).any() or (nodes >= n).any() or (self.feature < 0).any() else ""


def _joined(trees: list[dict[str, NDArray]], base: Floats, soft: bool, depth: int) -> Trees:
    """Trees that each count their nodes from 0, as one table."""
    size = np.array([len(one["feature"]) for one in trees], np.int64)
    root = np.cumsum(size) - size
    shift = np.repeat(root, size)
    own = np.arange(int(size.sum()))
    table = {name: np.concatenate([one[name] for one in trees]) for name in trees[0]}
    leaf = table["left"] < 0
    left, right = (np.where(leaf, own, table[side].astype(np.int64) + shift) for side in ("left", "right"))
    feature = np.where(leaf, 0, table["feature"].astype(np.int64))
    value = np.where(leaf[:, None], table["value"], 0.0)
    threshold = np.where(leaf, 0.0, table["threshold"].astype(np.float64))
    return Trees(feature, threshold, left, right, value, root, base, np.array([int(soft), depth], np.int64))


def fit_forest(rows: Rows, label: Ints, classes: int, options: Mapping[str, Any], seed: int) -> Trees:
    """A random forest.

    Parameters
    ----------
    rows : (n, F)
    label : (n,) classes 0 … C - 1, of which some may be missing
    classes : C
    options : trees, depth, min_leaf
    seed : of the draws
    """
    from sklearn.ensemble import RandomForestClassifier  # scikit-learn takes seconds

    model = RandomForestClassifier(
        options["trees"],
        max_depth=options["depth"],
        min_samples_leaf=options["min_leaf"],
        random_state=seed,
        n_jobs=1,
    ).fit(rows, label)
    trees = []
    for one in model.estimators_:
        tree = one.tree_
        share = np.zeros((tree.node_count, classes))
        share[:, model.classes_] = tree.value[:, 0, :] / tree.value[:, 0, :].sum(axis=1, keepdims=True)
        sides = {"left": tree.children_left, "right": tree.children_right}
        trees.append({"feature": tree.feature, "threshold": tree.threshold, "value": share, **sides})
    depth = max(int(one.tree_.max_depth) for one in model.estimators_)
    return _joined(trees, np.zeros(classes), False, depth)


def fit_boosted(rows: Rows, label: Ints, classes: int, options: Mapping[str, Any], seed: int) -> Trees:
    """Gradient-boosted trees on histograms.

    Parameters
    ----------
    rows, label, classes, seed : as for `fit_forest`
    options : rounds, leaves, learning_rate, min_leaf, l2
    """
    from sklearn.ensemble import HistGradientBoostingClassifier  # scikit-learn takes seconds

    model = HistGradientBoostingClassifier(
        max_iter=options["rounds"],
        max_leaf_nodes=options["leaves"],
        learning_rate=options["learning_rate"],
        min_samples_leaf=options["min_leaf"],
        l2_regularization=options["l2"],
        early_stopping=False,
        random_state=seed,
    ).fit(rows, label)
    found = model.classes_ if len(model.classes_) > 2 else model.classes_[1:]  # two classes share one tree
    base = np.full(classes, -np.inf)
    base[model.classes_] = 0.0
    base[found] = model._baseline_prediction.ravel()
    trees, depth = [], 1
    for per_class in model._predictors:
        for code, predictor in zip(found, per_class, strict=True):
            nodes = predictor.nodes
            leaf = nodes["is_leaf"].astype(bool)
            value = np.zeros((len(nodes), classes))
            value[:, code] = nodes["value"]
            sides = {side: np.where(leaf, -1, nodes[side].astype(np.int64)) for side in ("left", "right")}
            columns = {"feature": nodes["feature_idx"], "threshold": nodes["num_threshold"], "value": value}
            trees.append({**columns, **sides})
            depth = max(depth, int(nodes["depth"].max()))
    return _joined(trees, np.where(np.isfinite(base), base, -700.0), True, depth)


@dataclass(frozen=True)
class Lines(_Arrays):
    """Linear margins, and their probabilities.

    Attributes
    ----------
    mean, spread : (F,) rows are standardised by
    slope, bias : (F, M) and (M,) margins
    mix, shift : (M, C) and (C,) logits of the classes from the margins
    """

    mean: Floats
    spread: Floats
    slope: Floats
    bias: Floats
    mix: Floats
    shift: Floats

    def predict(self, rows: Rows) -> Floats:
        """(n, C) probabilities of rows (n, F)."""
        margin = (rows - self.mean) / self.spread @ self.slope + self.bias
        return np.asarray(softmax(margin @ self.mix + self.shift, axis=1), np.float64)

    def fits(self, columns: int, classes: int) -> bool:
        """Whether rows of so many columns can be asked for so many classes."""
        return len(self.mean) == columns and len(self.shift) == classes

    def wrong(self) -> str:
        inner = self.slope.shape == (len(self.mean), len(self.bias)) and self.mean.shape == self.spread.shape
        outer = self.mix.shape == (len(self.bias), len(self.shift))
        return "" if inner and outer and (self.spread > 0).all() else "shapes that do not fit"


def fit_svm(
    rows: Rows, label: Ints, classes: int, options: Mapping[str, Any], seed: int, tune: tuple[Rows, Ints]
) -> Lines:
    """A linear support vector machine, one class against the rest, calibrated on other rows.

    Parameters
    ----------
    rows, label, classes, seed : as for `fit_forest`
    options : cost
    tune : rows and classes from which a logistic regression over the margins is learned: Platt's scaling for many
        classes. With fewer than two classes there, the training rows serve.
    """
    from sklearn.linear_model import LogisticRegression  # scikit-learn takes seconds
    from sklearn.svm import LinearSVC

    mean, spread = rows.mean(axis=0, dtype=np.float64), rows.std(axis=0, dtype=np.float64)
    spread = np.where(spread > 1e-6, spread, 1.0)
    model = LinearSVC(C=options["cost"], dual=False, random_state=seed).fit((rows - mean) / spread, label)
    slope, bias = model.coef_.T.astype(np.float64), np.atleast_1d(model.intercept_).astype(np.float64)
    held, truth = tune if len(np.unique(tune[1])) > 1 else (rows, label)
    margin = (held - mean) / spread @ slope + bias
    scale = LogisticRegression(max_iter=500).fit(margin, truth)
    mix, shift = np.zeros((len(bias), classes)), np.full(classes, -700.0)
    shift[scale.classes_] = 0.0
    found = scale.classes_ if len(scale.classes_) > 2 else scale.classes_[1:]
    mix[:, found], shift[found] = scale.coef_.T, scale.intercept_
    return Lines(mean, spread, slope, bias, mix, shift)


Classifier = Trees | Lines
