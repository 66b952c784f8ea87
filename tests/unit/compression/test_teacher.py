"""Distilling: the losses have their least value at the teacher's answers, and a student comes to answer like him."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from components.compression.teacher import Teacher
from components.errors import ConfigError
from components.models.config import config_of
from components.models.losses import mixture_log_density
from components.models.taught import Taught, class_loss, item_loss, softened, time_loss
from components.predictor import Window
from components.training.batches import Corpus
from tests.compressed import DISTIL, entry, made, network_of, params_of
from tests.networks import network_params, queries_of
from tests.toy import toy_store

STORE = toy_store(n_users=12)


def taught_of(log_p: torch.Tensor, top: int, temperature: float) -> Taught:
    share, column = softened(log_p, temperature).topk(top, dim=1)
    return Taught(column + 2, share, {}, None, temperature, 1.0)


@pytest.mark.parametrize("top", [1, 3, 6])
@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_the_item_loss_is_least_where_the_student_answers_like_the_teacher(top: int, temperature: float) -> None:
    teacher = torch.log_softmax(torch.randn(5, 6), 1)
    taught = taught_of(teacher, top, temperature)
    student = teacher.clone().requires_grad_()
    least = item_loss(lambda part: student[part], 5, 6, taught)
    (slope,) = torch.autograd.grad(least, student)
    assert float(slope.abs().max()) < 1e-6
    for _ in range(5):
        other = torch.log_softmax(teacher + 0.3 * torch.randn(5, 6), 1)
        assert float(item_loss(lambda part, other=other: other[part], 5, 6, taught)) > float(least)


def test_the_loss_of_all_items_is_the_cross_entropy() -> None:
    teacher, student = torch.log_softmax(torch.randn(4, 7), 1), torch.log_softmax(torch.randn(4, 7), 1)
    found = item_loss(lambda part: student[part], 4, 7, taught_of(teacher, 7, 1.0))
    torch.testing.assert_close(found, -(teacher.exp() * student).sum(), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(class_loss(student, teacher.exp(), 1.0), found)


def test_the_time_loss_is_the_expected_density_under_the_teacher() -> None:
    teacher = (torch.log_softmax(torch.randn(1, 3), 1), torch.randn(1, 3), torch.rand(1, 3) + 0.5)
    student = (torch.log_softmax(torch.randn(1, 1), 1), torch.randn(1, 1), torch.rand(1, 1) + 1.0)
    x = torch.linspace(-15, 15, 40_001)
    wide = [one.expand(len(x), -1) for one in teacher], [one.expand(len(x), -1) for one in student]
    density = mixture_log_density(x, *wide[0]).exp()
    expected = -(density * mixture_log_density(x, *wide[1])).sum() * (x[1] - x[0])
    torch.testing.assert_close(time_loss(student, teacher), expected, rtol=1e-3, atol=1e-3)  # exact: one normal


@pytest.mark.parametrize("mixed", [False, True])
def test_the_teacher_answers_a_batch_as_it_answers_the_judge(mixed: bool) -> None:
    changes = {"copy_heads": 2, "item_bias": True, "distance": True} if mixed else {}
    params = params_of(large=changes, epochs=1)
    large = network_of("large", params, STORE)
    config = config_of(network_params("gru", width=8), STORE.encoding)
    corpus = Corpus(Window(STORE, "train"), config, "last", 256, 0)
    slices = corpus.plan(0)[0]
    batch = corpus.batch(slices)
    found = Teacher(large.model, STORE, 1.0, 0.5, 20, large.precision)(slices, batch.targets)
    queries = queries_of(STORE, large)[np.zeros(1, np.int64)]
    row, token = 0, int(slices.answers[0] - 1)  # the last answer of the first stretch, seen as a query
    asked = replace(
        queries,
        start=slices.begin[row : row + 1],
        stop=slices.begin[row : row + 1] + slices.first[row] + token,
        time_s=np.asarray(STORE["time_s"])[slices.begin[row : row + 1] + slices.first[row] + token],
    )
    L = batch.tokens.mask.shape[1]
    at = int(torch.nonzero(batch.targets.at == row * L + token)[0, 0])
    whole = torch.zeros(22).scatter(0, found.code[at], found.share[at])
    np.testing.assert_allclose(np.exp(large.score(asked).item[0]), whole.numpy(), atol=1e-5)
    assert set(found.classes) == {"action", "place"}
    assert found.time is not None


@pytest.mark.parametrize(
    "student", [{}, {"copy_heads": 2, "item_bias": True, "transitions": {"lags": 1, "successors": 4}}]
)
def test_a_student_comes_to_answer_like_his_teacher(student: dict[str, object]) -> None:
    distil = DISTIL | {"weight": 1.0, "temperature": 1.0, "top": 20}
    params = params_of(
        {"inputs": ["item"], "copy_heads": 0}, {"inputs": ["item"], "width": 16, **student}, 6, d=entry(distil=distil)
    )
    large, alone = network_of("large", params, STORE), network_of("small", params, STORE)
    taught = made("d", params, STORE, large)
    queries = queries_of(STORE, large)
    answers = [one.score(queries).item[:, 2:] for one in (large, alone, taught)]

    def far(log_p: np.ndarray) -> float:
        return float(np.mean(np.sum(np.exp(answers[0]) * (answers[0] - log_p), axis=1)))

    assert far(answers[2]) < 0.8 * far(answers[1])
    assert not np.isnan(answers[2]).any()


def test_a_model_that_no_weight_of_the_teacher_reaches_learns_as_ever() -> None:
    params = params_of(epochs=1, d=entry(distil=DISTIL | {"weight": 0.0}))
    large, alone = network_of("large", params, STORE), network_of("small", params, STORE)
    taught = made("d", params, STORE, large)
    queries = queries_of(STORE, large)
    np.testing.assert_allclose(taught.score(queries).item[:, 2:], alone.score(queries).item[:, 2:], atol=1e-5)


@pytest.mark.parametrize(
    ("small", "message"),
    [
        ({"max_history": 20}, "max_history"),
        ({"target_time": "given"}, "target_time"),
        (
            {"encoder": {"kind": "bert", "options": {"layers": 1, "heads": 2, "feedforward": 1, "mask_share": 0.3}}},
            "bert",
        ),
    ],
)
def test_a_pair_that_cannot_be_asked_the_same_is_refused(small: dict[str, object], message: str) -> None:
    params = params_of(small=small, epochs=1, d=entry(distil=DISTIL))
    with pytest.raises(ConfigError, match=message):
        made("d", params, STORE, network_of("large", params, STORE))


def test_what_is_made_of_nothing_or_of_itself_is_refused() -> None:
    for entries in ({"a": entry("b"), "b": entry("a")}, {"a": entry("gone")}):
        with pytest.raises(ConfigError, match=r"training\.(compressed|models)"):
            made("a", params_of(**entries), STORE)
