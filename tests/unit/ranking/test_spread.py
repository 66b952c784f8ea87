"""From scores to probabilities: a distribution, candidates before the rest, calibrated on what came true."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from components.errors import IntegrityError
from components.ranking.candidates import Candidates
from components.ranking.lessons import Lessons
from components.ranking.spread import Spread, _level, fit_spread

RNG = np.random.default_rng(0)
V = 60


def block(queries: int = 40, per: int = 8) -> tuple[np.ndarray, Candidates]:
    """Mixtures (B, V), and candidates that are not always the likeliest items."""
    mixture = RNG.dirichlet(np.full(V - 2, 0.1), queries).astype(np.float32) + np.float32(1e-7)
    mixture = np.concatenate([np.zeros((queries, 2), np.float32), mixture], axis=1)
    item = np.stack([np.sort(2 + RNG.choice(V - 2, per, replace=False)) for _ in range(queries)])
    return mixture, Candidates(np.arange(queries + 1) * per, item.reshape(-1))


@pytest.mark.parametrize("spread", [Spread.plain(), Spread(2.0, 0.3, -1.0, 0.7), Spread(30.0, -1.0, 5.0, 3.0)])
def test_a_distribution_with_the_candidates_before_the_rest(spread: Spread) -> None:
    mixture, candidates = block()
    before = mixture.copy()
    scores = RNG.normal(size=len(candidates))
    out = spread.of(scores, mixture, candidates)
    assert out.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert (out[:, :2] == 0).all()
    for q in range(40):
        own = candidates.item[candidates.offsets[q] : candidates.offsets[q + 1]]
        rest = np.setdiff1d(np.arange(2, V), own)
        assert out[q, own].min() > out[q, rest].max()
        order = np.argsort(before[q, rest], kind="stable")
        assert (np.diff(out[q, rest][order]) >= 0).all(), "the rest stays in the order of the mixture"


def test_the_order_of_candidates_is_that_of_the_scores() -> None:
    mixture, candidates = block()
    scores = RNG.normal(size=len(candidates))
    out = Spread(3.0, 0.0, 0.0, 1.0).of(scores, mixture, candidates)
    own = out[candidates.query, candidates.item].reshape(40, 8)
    assert (np.argsort(own, axis=1) == np.argsort(scores.reshape(40, 8), axis=1)).all()


def test_candidates_share_their_calibrated_mass_by_the_softmax() -> None:
    mixture, candidates = block()
    mixture[candidates.query, candidates.item] += 1.0  # far above the rest, so that nothing is parted
    spread, scores = Spread(0.1, 0.5, 1.0, 0.7), RNG.normal(size=len(candidates))
    own = mixture[candidates.query, candidates.item].astype(np.float64)
    inside = np.add.reduceat(own, candidates.offsets[:-1]) / mixture.sum(axis=1, dtype=np.float64)
    expected = spread.mass_of(inside)[candidates.query] * spread.among(scores, own, candidates)
    out = spread.of(scores, mixture, candidates)
    assert out[candidates.query, candidates.item] == pytest.approx(expected, rel=1e-5)


def test_where_nothing_crosses_nothing_moves() -> None:
    mixture = np.array([[0, 0, 0.5, 0.3, 0.1, 0.06, 0.04]], np.float32)
    candidates = Candidates(np.array([0, 2]), np.array([2, 3]))
    out = Spread.plain().of(np.zeros(2), mixture.copy(), candidates)
    assert out == pytest.approx(mixture, abs=1e-6)


@pytest.mark.parametrize("wide", [0.3, 3.0, 8.0])
def test_what_candidates_lack_below_the_level_is_what_others_have_above_it(wide: float) -> None:
    for draw in range(20):
        rng = np.random.default_rng(draw)
        own, rest = (np.exp(wide * rng.normal(size=size)).astype(np.float32) for size in (200, 3000))
        level = _level(own, rest, float(own.min()), float(rest.max()))
        lack, beyond = (np.maximum(one, 0.0).sum(dtype=np.float64) for one in (level - own, rest - level))
        assert own.min() <= level <= rest.max()
        assert lack == pytest.approx(beyond, rel=1e-5)


def lessons(strength: float, queries: int = 3000, per: int = 6) -> tuple[Lessons, np.ndarray]:
    """Answers drawn by a softmax of `strength` · score, nine tenths of them among the candidates."""
    scores = RNG.normal(size=(queries, per))
    chance = np.exp(strength * scores)
    chance /= chance.sum(axis=1, keepdims=True)
    pick = (chance.cumsum(axis=1) < RNG.random((queries, 1))).sum(axis=1).clip(max=per - 1)
    right = np.zeros(queries * per, bool)
    right[(np.arange(queries) * per + pick)[RNG.random(queries) < 0.9]] = True
    own = np.full(queries * per, 0.5 / per)
    sizes = np.full(queries, per)
    rows = np.arange(queries)
    table = np.zeros((queries * per, 0), np.float32)
    one = np.ones(queries, np.int64)
    return Lessons(table, own, sizes, right, one, np.full(queries, 0.5), rows), scores.reshape(-1)


def test_calibration_finds_what_the_scores_are_worth() -> None:
    found = fit_spread(*lessons(1.5))
    assert found.score == pytest.approx(1.5, abs=0.15)
    assert found.mass_of(np.array([0.5])) == pytest.approx([0.9], abs=0.02)


def test_scores_that_say_nothing_get_no_weight() -> None:
    told, scores = lessons(0.0)
    assert fit_spread(told, scores).score < 0.1
    assert fit_spread(told, -scores).score >= 0


def test_without_a_single_answer_the_mixture_stays() -> None:
    told, scores = lessons(1.0, queries=5)
    nobody = replace(told, right=np.zeros_like(told.right))
    assert fit_spread(nobody, scores) == Spread.plain()


@pytest.mark.parametrize("record", [{}, {"score": 1.0}, {**Spread.plain().record(), "shift": float("nan")}, [], None])
def test_a_record_that_lies_is_refused(record: object) -> None:
    with pytest.raises(IntegrityError, match="spread in here"):
        Spread.read(record, "here")
    assert Spread.read(Spread.plain().record(), "here") == Spread.plain()


def test_answers_of_one_query_count_by_their_share() -> None:
    told, scores = lessons(1.5, queries=400)
    both = np.tile(told.right.reshape(400, 6), (1, 2)).ravel()  # each candidate stands twice, and so does each answer
    table, own = np.zeros((400 * 12, 0), np.float32), np.full(400 * 12, 0.25 / 6)
    doubled = replace(told, table=table, own=own, sizes=told.sizes * 2, right=both, asked=told.asked * 2)
    found = fit_spread(doubled, np.tile(scores.reshape(400, 6), (1, 2)).ravel())
    one = fit_spread(told, scores)
    assert found.score == pytest.approx(one.score, rel=1e-3)
    assert (found.shift, found.slope) == pytest.approx((one.shift, one.slope), rel=1e-3)
