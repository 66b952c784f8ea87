"""The stage `blend`: the mixture, the ensembles and the rankers of a workspace, from its trained models.

Reads data/features and models/, writes `blends/<name>/` for the blend, each ensemble and each ranker. Models are read
as they were trained; a baseline or a counter that is a part of one is fitted here, in seconds. Nothing is judged.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from components.errors import ConfigError, DataError
from components.evaluation.protocol import Protocol
from components.features.store import Store
from components.files import replace_folder
from components.params import Params
from components.predictor import NoTracker, Predictor, Window
from components.ranking.blend import BlendPredictor, describe
from components.ranking.ensemble import EnsemblePredictor
from components.ranking.parts import load_part, simple
from components.ranking.ranker import RankerPredictor


def fit_blends(root: Path, params: Params) -> str:
    """Fit the blend, the ensembles and the rankers of `params.training` and write them below `blends/`.

    Returns
    -------
    str
        What each trusts, for people.

    Raises
    ------
    DataError
        A part was not trained.
    """
    wanted = params.training.mixed
    with replace_folder(root / "blends") as folder:
        if not wanted:
            return "training.blend.parts, training.ensembles and training.rankers are empty: nothing to blend."
        store = Store.load(root / "data" / "features")
        said = []
        for name, one in wanted.items():
            parts = parts_of(one.parts, root, params, store, folder if name in params.training.ensembles else None)
            made = blend_of(name, parts, params, Protocol.of(params.evaluation))
            value = made.fit_weights(Window(store, "blend", params.evaluation.history))
            made.save(folder / name)
            said.append(describe(made, value))
    return "\n".join(said)


def blend_of(name: str, parts: dict[str, Predictor], params: Params, protocol: Protocol) -> BlendPredictor:
    """The blend, or the ensemble or ranker of that name, over fitted parts; itself unfitted.

    Raises
    ------
    ConfigError
        The ranker would learn from answers that one of its networks has learned by heart.
    """
    if name in params.training.ensembles:
        return EnsemblePredictor(parts, params.training.ensembles[name], protocol, name)
    if name not in params.training.rankers:
        return BlendPredictor(parts, params.training.blend, protocol, name)
    ranker = params.training.rankers[name]
    finished = [part for part in parts if params.training.finished(part)]
    if ranker.since == "tune" and finished:
        raise ConfigError(
            f"`training.rankers.{name}.since: blend`, for `{finished[0]}` learns the tune window by its finish_epochs",
            found="tune",
            do="Set it so, or let the network not finish.",
        )
    return RankerPredictor(parts, ranker, protocol, params.memory.max_history, params.workspace.seed, name)


def parts_of(
    names: Sequence[str], root: Path, params: Params, store: Store, made: Path | None = None
) -> dict[str, Predictor]:
    """Trained models from `models/`; baselines and counters fitted anew; rankers from where they were just `made`.

    Raises
    ------
    DataError
        A model was not trained.
    """
    found: dict[str, Predictor] = {}
    for name in names:
        one = None if name in params.training.models else simple(name, params)
        if one is not None:
            history = params.evaluation.history
            one.fit(Window(store, "train", history), Window(store, "tune", history), NoTracker())
        elif made is not None and name in params.training.rankers:
            one = load_part(made / name)
        elif (root / "models" / name / "config.json").is_file():
            one = load_part(root / "models" / name)
        else:
            needed = f"trained models {list(names)} in {root / 'models'}"
            raise DataError(needed, found=f"no {name}", do="Run the train stage.")
        found[name] = one
    return found
