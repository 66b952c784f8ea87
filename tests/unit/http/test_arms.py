"""An experiment over HTTP: an answer says its arm and the model that the arm stands for, and metrics count it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from fastapi.testclient import TestClient

from components.serving.champion import Champion
from components.serving.question import Answer, Question
from tests.live import toy_app
from tests.serving import toy_champion


class Halves:
    """Users whose id ends in an even figure are the challenger's."""

    def __init__(self, challenger: Champion) -> None:
        self.challenger = challenger

    def stop(self) -> None:
        """Nothing was begun."""

    def status(self) -> dict[str, Any]:
        return {"experiment": "trial", "mode": "ab", "challenger": "d", "error": None, "answers": {}, "silent": None}

    def model(self, champion: Champion, question: Question) -> Champion:
        return champion

    def answer(self, champion: Champion, question: Question, ask: Callable[[Champion], Answer]) -> Answer:
        side = "challenger" if int(str(question.user_id)[-1]) % 2 == 0 else "champion"
        found = ask(self.challenger if side == "challenger" else champion)
        chances = [1.0] * len(found.items)
        return dataclasses.replace(found, arm=f"trial/{side}", list_id="list-1", chances=chances)


def test_an_answer_names_its_arm_its_list_and_its_model() -> None:
    app = toy_app()
    worker = app.worker
    assert worker is not None
    worker.arms = worker.live.beside = Halves(toy_champion(sequence=2))  # type: ignore[assignment]
    with TestClient(app, client=("127.0.0.1", 1)) as client:
        for route in ("/v1/predict", "/v1/recommend"):
            for user, side, version in (("user00002", "challenger", 2), ("user00003", "champion", 1)):
                found = client.post(route, json={"user_id": user, "k": 2}).json()
                assert (found["arm"], found["model"]["version"]) == (f"trial/{side}", version)
                assert (found["list_id"], found["chances"]) == ("list-1", [1.0, 1.0])
        text = client.get("/metrics").text
        assert client.get("/v1/model").json()["experiment"]["experiment"] == "trial"
    for side in ("champion", "challenger"):
        assert f'chronotope_predictions_total{{arm="trial/{side}"}} 2.0' in text


def test_without_an_experiment_there_is_no_arm() -> None:
    with TestClient(toy_app(), client=("127.0.0.1", 1)) as client:
        found = client.post("/v1/recommend", json={"user_id": "user00003", "k": 2}).json()
        assert (found["arm"], found["list_id"], found["chances"]) == (None, None, [])
        assert client.get("/v1/model").json()["experiment"] is None
