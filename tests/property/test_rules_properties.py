"""What must hold for any ranking: nothing invented or repeated, a weight of one changes nothing, optima are optima."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from components.features.encoding import Catalogue
from components.params import PolicyParams, RuleParams, load_params
from components.predictor import Queries
from components.ranking.rules import diverse as module
from components.ranking.rules.calibrated import calibrated, divergence
from components.ranking.rules.diverse import Likeness, diverse
from components.ranking.rules.policy import shape
from components.ranking.rules.pool import Pool, pool_of
from tests.conftest import ROOT
from tests.toy import toy_store

POLICY = load_params(ROOT / "params.yaml").policy
PLAIN = RuleParams(
    order="plain", weight=1.0, alike=["category"], place_km=2.0, half_life_days=None, max_per_category=None,
    drop_seen=False, skip_recent_h=0.0, max_price=None, radius_km=None,
)  # fmt: skip
LOG = toy_store(n_users=12, n_items=30, events_per_user=20, pattern="random")
ENDS = np.asarray(LOG.offsets[1:])


def policy(rule: RuleParams) -> PolicyParams:
    return POLICY.model_copy(update={"rules": dict.fromkeys(("new", "active", "returning"), rule), "candidates": 12})


def questions(n: int) -> Queries:
    """One of each of the first n users, after all of their events."""
    last_s = np.asarray(LOG["time_s"])[ENDS[:n] - 1]
    nowhere = np.full(n, np.nan, np.float32)
    start, offset = np.asarray(LOG.offsets[:n]), np.zeros(n, np.int16)
    return Queries(LOG, np.arange(n, dtype=np.int32), start, ENDS[:n], last_s, offset, nowhere, nowhere, True)


@st.composite
def rankings(draw: st.DrawFn) -> tuple[NDArray, NDArray]:
    """Log-probabilities with ties and impossible items, and what is allowed."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    n = draw(st.integers(1, 7))
    log_p = rng.integers(-12, 0, (n, LOG.encoding.n_items)) / draw(st.sampled_from([1.0, 3.0]))
    log_p[rng.random(log_p.shape) < draw(st.sampled_from([0.0, 0.5]))] = -np.inf
    log_p[:, :2] = -np.inf
    allowed = rng.random(log_p.shape) < draw(st.sampled_from([0.1, 0.7, 1.0]))
    return log_p, allowed


rules = st.builds(
    RuleParams,
    order=st.sampled_from(["plain", "diverse", "calibrated"]),
    weight=st.sampled_from([0.0, 0.3, 0.8, 1.0]),
    alike=st.sampled_from([["category"], ["place"], ["category", "place"]]),
    place_km=st.just(1.0),
    half_life_days=st.sampled_from([None, 5.0]),
    max_per_category=st.sampled_from([None, 1, 2]),
    drop_seen=st.booleans(),
    skip_recent_h=st.sampled_from([0.0, 100.0]),
    max_price=st.sampled_from([None, 25.0]),
    radius_km=st.sampled_from([None, 6.0]),
)


@settings(max_examples=150, deadline=None)
@given(rankings(), rules, st.integers(1, 20))
def test_rules_never_invent_repeat_or_bring_back(ranking: tuple, rule: RuleParams, k: int) -> None:
    log_p, allowed = ranking
    queries = questions(len(log_p))
    found = shape(policy(rule), queries, log_p, allowed, k, queries.time_s)
    catalogue = LOG.encoding.catalogue
    for b, shown in enumerate(found.lists):
        codes = shown[shown > 0]
        assert (shown[: len(codes)] > 0).all()  # empty places stand at the end
        assert len(set(codes.tolist())) == len(codes)
        assert np.isfinite(log_p[b, codes]).all()
        assert allowed[b, codes].all()
        seen = np.asarray(LOG["item"])[queries.start[b] : queries.stop[b]]
        if rule.drop_seen:
            assert not np.isin(codes, seen).any()
        if rule.max_price is not None:
            assert (catalogue.price[codes] <= 25).all()
        if rule.max_per_category is not None:
            assert np.bincount(catalogue.category[codes], minlength=2).max() <= rule.max_per_category


@settings(max_examples=100, deadline=None)
@given(rankings(), rules, st.integers(1, 12))
def test_a_block_is_answered_as_its_questions_one_by_one(ranking: tuple, rule: RuleParams, k: int) -> None:
    log_p, allowed = ranking
    queries = questions(len(log_p))
    whole = shape(policy(rule), queries, log_p, allowed, k, queries.time_s)
    for b in range(len(log_p)):
        part = slice(b, b + 1)
        alone = shape(policy(rule), queries[part], log_p[part], allowed[b], k, queries.time_s[part])
        assert alone.segment[0] == whole.segment[b]
        assert alone.lists[0].tolist() == whole.lists[b].tolist()


@settings(max_examples=100, deadline=None)
@given(rankings(), st.sampled_from(["plain", "diverse", "calibrated"]), st.integers(1, 20))
def test_a_weight_of_one_is_the_plain_order(ranking: tuple, order: str, k: int) -> None:
    log_p, allowed = ranking
    queries = questions(len(log_p))
    rule = PLAIN.model_copy(update={"order": order, "alike": ["category", "place"]})
    found = shape(policy(rule), queries, log_p, allowed, k, queries.time_s).lists
    for b, shown in enumerate(found):
        value = np.where(allowed[b], log_p[b], -np.inf)
        order_ = np.lexsort((np.arange(len(value)), -value))
        wanted = [code for code in order_.tolist() if np.isfinite(value[code])][:k]
        assert shown[shown > 0].tolist() == wanted


def step_by_step(pool: Pool, likeness: NDArray, weight: float, size: int) -> list[int]:
    """Maximal marginal relevance as it is defined, of one question."""
    taken: list[int] = []
    left = np.flatnonzero(pool.there[0]).tolist()
    while left and len(taken) < size:
        worth = [
            weight * pool.relevance[0, i] - (1 - weight) * max((likeness[i, j] for j in taken), default=0.0)
            for i in left
        ]
        best = left[int(np.argmax(np.round(worth, 6)))]
        taken.append(best)
        left.remove(best)
    return taken


def toy_pool(seed: int, size: int = 9) -> tuple[Pool, Catalogue]:
    rng = np.random.default_rng(seed)
    catalogue = LOG.encoding.catalogue
    category = rng.integers(1, 5, len(catalogue.category))
    log_p = np.log(rng.dirichlet(np.ones(len(category)))).astype(np.float64)[None]
    allowed = np.arange(len(category)) > 1
    nowhere = rng.random(len(category)) < 0.2
    latitude = np.where(nowhere, np.nan, catalogue.latitude).astype(np.float32)
    return pool_of(log_p, allowed, category, size), replace(catalogue, latitude=latitude)


@settings(max_examples=150, deadline=None)
@given(
    st.integers(0, 2**32),
    st.sampled_from([["category"], ["place"], ["category", "place"]]),
    st.sampled_from([0.0, 0.2, 0.5, 0.9]),
)
def test_diversity_is_maximal_marginal_relevance(seed: int, by: list, weight: float) -> None:
    pool, catalogue = toy_pool(seed)
    likeness = np.zeros((9, 9))
    if "category" in by:
        known = pool.category[0] > 1
        likeness += (pool.category[0][:, None] == pool.category[0]) & known[:, None] & known
    if "place" in by:
        likeness = likeness + Likeness.of(pool, ["place"], 2.0, catalogue).whole()[0]
    likeness = likeness / len(by)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_LONG", 1 + seed % 2 * 100)  # by all pairs, and row by row
        found = diverse(pool, by, 2.0, catalogue, weight, 6)[0].tolist()
    wanted = step_by_step(pool, likeness, weight, 6)
    worth = [
        weight * pool.relevance[0, i] - (1 - weight) * likeness[i, wanted[:n]].max(initial=0)
        for n, i in enumerate(found)
    ]
    best = [
        weight * pool.relevance[0, i] - (1 - weight) * likeness[i, wanted[:n]].max(initial=0)
        for n, i in enumerate(wanted)
    ]
    assert found == wanted or worth == pytest.approx(best, abs=1e-5)  # but for rounding


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([["place"], ["category", "place"]]))
def test_many_questions_are_searched_as_one_is(seed: int, by: list) -> None:
    pool, catalogue = toy_pool(seed)
    many = Pool(*(np.repeat(x, module._FEW + 1, axis=0) for x in (pool.code, pool.log_p, pool.category)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_LONG", 1)
        one = diverse(pool, by, 2.0, catalogue, 0.6, 7)[0]
        assert (diverse(many, by, 2.0, catalogue, 0.6, 7) == one).all()
    assert (diverse(pool, by, 2.0, catalogue, 0.6, 7) == one).all()


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([0.0, 0.3, 0.7, 0.99]), st.integers(1, 6))
def test_a_calibrated_list_is_the_best_of_all_and_never_further_from_the_taste(
    seed: int, weight: float, k: int
) -> None:
    rng = np.random.default_rng(seed)
    pool, _ = toy_pool(seed)
    taste = np.zeros((1, 5))
    taste[0, 2:] = rng.dirichlet(np.full(3, 0.5))
    if rng.random() < 0.3:
        taste[0, 2] = 0
        taste /= taste.sum()
    category = np.arange(5)  # places of the pool as items: their category is asked for directly

    def kl(places: list[int]) -> float:
        return float(divergence(category[pool.category[0, places]][None] + 0, taste, category)[0])

    def worth(places: list[int]) -> float:
        return weight * float(pool.relevance[0, places].mean()) - (1 - weight) * kl(places)

    found = calibrated(pool, taste, weight, k)[0].tolist()
    best = max(worth(list(chosen)) for chosen in itertools.combinations(range(9), k))
    assert worth(found) == pytest.approx(best, abs=1e-9)
    assert found == sorted(found)  # what is chosen keeps the model's order
    assert kl(found) <= kl(list(range(k))) + 1e-12


def test_without_a_taste_the_plain_order_stands() -> None:
    pool, _ = toy_pool(3)
    assert calibrated(pool, np.zeros((1, 5)), 0.2, 4)[0].tolist() == [0, 1, 2, 3]
