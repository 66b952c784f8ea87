"""The judge: asks a predictor what came next, in the order in which it came, and writes down how it answered.

Blocks of a day are asked and only then, when the history is online, taught: no answer is known before its question.
The judge tunes nothing, and knows nothing of who implements a predictor. What it writes down is a `Judgement`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from components.evaluation.judgement import QUANTILES, TOP, Judgement
from components.evaluation.metrics import crps_log
from components.evaluation.places import Places
from components.evaluation.popularity import tiers
from components.evaluation.protocol import Protocol, Targets, make_queries, sample_users
from components.evaluation.ranks import rank_dense, top_items
from components.features.encoding import PADDING, UNKNOWN
from components.features.store import WINDOWS, Store
from components.params import Params
from components.predictor import Predictor, Queries, Scores, TimeDistribution, Window

DAY_S = 86_400
_CELLS = 1 << 24  # scores held at once
Pairs = tuple[NDArray[np.int64], NDArray[np.int64]]
Columns = dict[str, NDArray]
#: Questions, answers and pairs that are not ranked (None: all are) of a block → more columns, a row for each question.
Also = Callable[[Queries, Scores, Pairs | None], Columns]


def judge(
    predictor: Predictor,
    window: Window,
    protocol: Protocol,
    *,
    max_queries: int,
    seed: int,
    replay: bool = True,
    progress: Callable[[int, int], None] | None = None,
    also: Also | None = None,
) -> Judgement:
    """Judge one predictor on one window.

    The predictor learns the events of the window while it is judged (history: online, but for leave-one-out, where
    windows are not in time order), so it is not the same afterwards; judge a fresh copy elsewhere.

    Parameters
    ----------
    predictor : fitted on the training and tuning windows
    window : what is asked
    protocol : the rules
    max_queries : beyond it, a sample of whole users is asked, the same for every predictor and seed of models
    seed : of that sample
    replay : teach the windows between training and this one first (history: online); False where the predictor
        has already learned them
    progress : called with (queries answered, queries in all)
    also : what else to write down of each block; it sees questions and answers, never what happened

    Returns
    -------
    Judgement
        One row per query, in time order.
    """
    window = replace(window, history=protocol.history)
    store, online = window.store, protocol.history == "online"
    rows = sample_users(store, window.targets, max_queries, seed)
    queries, targets = make_queries(window, protocol, rows)
    hidden = queries
    if protocol.target_time == "given" and "time" in predictor.capabilities:
        hidden, _ = make_queries(window, replace(protocol, target_time="hidden"), rows)
    if online and replay:
        teach(predictor, store, between(store, window.name))
    # leave-one-out has no order among users: what others did last is nobody's past there
    lessons = window.events if online and protocol.split != "leave_one_out" else np.empty(0, np.int64)
    lesson_day = np.asarray(store["time_s"])[lessons] // DAY_S
    places = Places.of(store)
    parts: list[Columns] = []
    taught = 0
    for start, stop in _days(targets.time_s):
        yesterday = int(np.searchsorted(lesson_day, targets.time_s[start] // DAY_S))
        teach(predictor, store, lessons[taught:yesterday])
        taught = yesterday
        for low, high in _chunks(start, stop, store.encoding.n_items):
            part = slice(low, high)
            parts.append(_ask(predictor, queries[part], hidden[part], _take(targets, part), protocol, places, also))
            if progress is not None:
                progress(high, len(targets))
    teach(predictor, store, lessons[taught:])
    table = _table(parts, targets, queries, store, tiers(store))
    about = _about(window, targets, len(window.targets), len(rows))
    return Judgement(predictor.name, window.name, protocol, store.encoding.n_items - 2, table, about)


def judge_by(
    params: Params,
    predictor: Predictor,
    window: Window,
    *,
    replay: bool = True,
    progress: Callable[[int, int], None] | None = None,
    also: Also | None = None,
) -> Judgement:
    """Judge by the rules, the sample and the seed of a workspace's params; the rest as `judge`."""
    return judge(
        predictor,
        window,
        Protocol.of(params.evaluation),
        max_queries=params.evaluation.max_queries,
        seed=params.workspace.seed,
        replay=replay,
        progress=progress,
        also=also,
    )


def between(store: Store, name: str) -> NDArray[np.int64]:
    """(n,) rows of the windows after training and before the window `name`, oldest first."""
    code = np.asarray(store["window"])
    rows = np.flatnonzero((code > WINDOWS["train"]) & (code < WINDOWS[name]))
    return rows[np.argsort(np.asarray(store["time_s"])[rows], kind="stable")]


def teach(predictor: Predictor, store: Store, rows: NDArray[np.int64]) -> None:
    """Let the predictor learn what has happened; nothing for no rows."""
    if len(rows):
        predictor.update(store, rows)


def _days(time_s: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Ranges of queries (in time order) whose answers fall on one UTC day."""
    edges = np.flatnonzero(np.diff(time_s // DAY_S)) + 1
    bounds = [0, *edges.tolist(), len(time_s)]
    return ((a, b) for a, b in itertools.pairwise(bounds) if b > a)


def _chunks(start: int, stop: int, n_items: int) -> Iterator[tuple[int, int]]:
    step = max(1, min(2048, _CELLS // max(n_items, 1)))
    return ((low, min(low + step, stop)) for low in range(start, stop, step))


def _take(targets: Targets, part: slice) -> Targets:
    low, high = targets.offsets[part.start], targets.offsets[part.stop]
    return Targets(
        targets.row[part],
        targets.offsets[part.start : part.stop + 1] - low,
        targets.item[low:high],
        targets.action[part],
        targets.time_s[part],
        targets.gap_s[part],
        targets.local_hour[part],
        targets.cell[part] if len(targets.cell) else targets.cell,
        targets.latitude[part],
        targets.longitude[part],
    )


def seen_pairs(queries: Queries) -> Pairs:
    """Distinct (query, item) pairs of the visible histories, known items only, sorted by query."""
    length = queries.stop - queries.start
    query = np.repeat(np.arange(len(queries)), length)
    row = np.arange(int(length.sum())) + np.repeat(queries.start - (np.cumsum(length) - length), length)
    item = np.asarray(queries.store["item"])[row].astype(np.int64)
    size = queries.store.encoding.n_items
    pair = np.unique((query * size + item)[item > UNKNOWN])
    return pair // size, pair % size


def _ask(
    predictor: Predictor,
    queries: Queries,
    hidden: Queries,
    targets: Targets,
    protocol: Protocol,
    places: Places,
    also: Also | None,
) -> Columns:
    """Score one block and compare it with its answers; nothing of the answers reaches the predictor."""
    scores = predictor.score(queries)
    pairs = seen_pairs(queries)
    out = _judge_items(scores, pairs, targets, protocol, queries.store.encoding.n_trained)
    if scores.action is not None:
        out["action_p"] = np.asarray(scores.action, np.float32)
    if "time" in predictor.capabilities:
        time = scores.time if hidden is queries or not queries.time_given else predictor.score(hidden).time
        if time is not None:
            out |= _judge_time(time, targets)
    if len(targets.cell):
        out |= places.judge(scores, targets)
    if also is not None:
        out |= also(queries, scores, pairs if protocol.seen == "filtered" else None)
    return out


def _judge_items(scores: Scores, pairs: Pairs, targets: Targets, protocol: Protocol, trained: int) -> Columns:
    n, item = len(targets), targets.item
    query = np.repeat(np.arange(n), np.diff(targets.offsets))
    cold = (item == UNKNOWN) | (item >= trained)
    known = (item > UNKNOWN) & ~(cold & (protocol.unseen == "dropped"))
    ranks = np.full(len(item), np.nan if protocol.unseen == "dropped" else np.inf)
    ranks[item == PADDING] = np.nan
    log_p = np.full(len(item), np.nan)
    filtered = pairs if protocol.seen == "filtered" else None
    if known.any():
        ranks[known] = rank_dense(scores.item, item[known], filtered, query[known])
        log_p[known] = scores.item[query[known], item[known]]
    lists, value = top_items(scores.item, TOP, filtered)
    size = scores.item.shape[1]
    repeat = np.isin(query * size + item, pairs[0] * size + pairs[1]) & known
    told = known & ~cold  # whether a model has a word for a cold item is no matter of its calibration
    total = np.bincount(query[told], weights=log_p[told], minlength=n)
    count = np.bincount(query[told], minlength=n)
    return {
        "ranks": ranks.astype(np.float32),
        "log_p": np.where(count > 0, total / np.maximum(count, 1), np.nan).astype(np.float32),
        "top": lists,
        "top_p": np.exp(value[:, 0]).astype(np.float32),
        "repeat": np.bincount(query, weights=repeat, minlength=n) > 0,
        "cold_item": np.bincount(query, weights=cold, minlength=n) > 0,
    }


def _judge_time(time: TimeDistribution, targets: Targets) -> Columns:
    """Density, quantiles and scores of the gap since the last visible event; NaN where nothing was visible."""
    asked = targets.gap_s >= 0
    gap = np.maximum(targets.gap_s, 0).astype(np.float64)
    quantiles = np.stack([time.quantile(q) for q in QUANTILES], axis=1)
    weight, mean, sigma = (np.asarray(x, np.float64) for x in (time.weight, time.mean, time.sigma))
    out = {
        "time_ll": time.log_density(gap),
        "time_pit": time.cdf(gap),
        "time_crps": crps_log(weight, mean, sigma, np.log1p(gap)),
    }
    columns: Columns = {name: np.where(asked, values, np.nan).astype(np.float32) for name, values in out.items()}
    return columns | {"time_q": quantiles.astype(np.float32)}


def _table(
    parts: list[Columns], targets: Targets, queries: Queries, store: Store, tier: NDArray[np.int8]
) -> pl.DataFrame:
    """One row per query; lists are kept as lists."""
    joined: Columns = {name: np.concatenate([part[name] for part in parts]) for name in (parts[0] if parts else {})}
    trained = np.zeros(store.n_users, bool)
    trained[np.unique(store.user[np.asarray(store["window"]) == WINDOWS["train"]])] = True
    user = store.user[targets.row]
    length = np.diff(targets.offsets)
    columns: dict[str, pl.Series] = {
        "row": pl.Series(targets.row),
        "user": pl.Series(user),
        "time_s": pl.Series(targets.time_s),
        "target": _lists(targets.item, length),
        "ranks": _lists(joined.pop("ranks", np.empty(0, np.float32)), length),
        "hour": pl.Series(targets.local_hour),
        "history": pl.Series((queries.stop - queries.start).astype(np.int32)),
        "cold_user": pl.Series(~trained[user]),
        "tier": pl.Series(tier[targets.item[targets.offsets[:-1]]]),
        "gap_s": pl.Series(targets.gap_s),
        "action": pl.Series(targets.action),
    }
    for name, values in joined.items():
        columns[name] = (
            _lists(values.ravel(), np.full(len(values), values.shape[1])) if values.ndim == 2 else pl.Series(values)
        )
    return pl.DataFrame(columns)


def _lists(values: NDArray, length: NDArray[np.integer]) -> pl.Series:
    """A column of lists from their concatenation; without Python objects."""
    index = pl.Series("query", np.repeat(np.arange(len(length)), length))
    frame = pl.DataFrame({"query": index, "value": pl.Series(values)})
    return frame.group_by("query", maintain_order=True).agg("value")["value"]


def _about(window: Window, targets: Targets, all_targets: int, asked: int) -> dict[str, float | int]:
    store = window.store
    items, trained = targets.item, store.encoding.n_trained
    with_item = items[items != PADDING]
    return {
        "queries": len(targets),
        "answers": len(with_item),
        "targets_in_window": all_targets,
        "sampled": asked,
        "users_asked": len(np.unique(store.user[targets.row])),
        "unseen_share": float(np.mean((with_item == UNKNOWN) | (with_item >= trained))) if len(with_item) else 0.0,
    }
