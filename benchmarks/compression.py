"""What distilling, pruning, int8 and ONNX cost in the metric and save in bytes and time, and what a step saves.

    OMP_NUM_THREADS=1 python -m benchmarks.compression ml100k --data DIR [--json OUT]
    OMP_NUM_THREADS=1 python -m benchmarks.compression tables [--json OUT]
    OMP_NUM_THREADS=1 python -m benchmarks.compression steps [--json OUT]

`ml100k`: a Transformer, a GRU of half its width that learned alone and one that learned from it, each step of
`benchmarks/configs/compression.yaml`, and the ONNX files; split in time, one test window, differences paired by user.
The models judged are those that were read back from their files. `tables`: the product of one state with a catalogue
in float32 and in int8. `steps`: one more event by a cached step against a full pass, weights as drawn. Times are CPU
time of one thread, the better of two for each question.
"""

from __future__ import annotations

import argparse
import itertools
import logging
import tempfile
import time
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.machine import machine
from components import learners
from components.benchmark.load import Options, load_log
from components.code import CODE, code_digest
from components.compression import compare
from components.compression.compare import Cost, milliseconds, timed_queries, weight_bytes
from components.compression.predictor import CompressedPredictor
from components.compression.stage import load_network
from components.compression.table import Int8ItemTable
from components.errors import IntegrityError
from components.evaluation.data import data_digest
from components.evaluation.judge import judge_by
from components.evaluation.judgement import Judgement
from components.evaluation.protocol import Protocol, make_queries
from components.export import onnx
from components.features.build import frame_to_store
from components.features.store import Store
from components.features.windows import Split
from components.files import digest_of, write_json
from components.models.config import SequenceConfig
from components.models.incremental import begin, step
from components.models.sequence import SequenceModel
from components.models.tokens import Tokens, newest
from components.params import Params
from components.predictor import NoTracker, Predictor, Queries, Scores, Window
from components.training.network import NetworkPredictor

CONFIG = Path(__file__).parent / "configs" / "compression.yaml"
ORIGINAL, DISTILLED = "transformer", "distilled"
Record = dict[str, Any]
log = logging.getLogger("benchmarks.compression")


class InOnnx:
    """A network's answers as its ONNX file gives them, for the judge; it must not be taught."""

    def __init__(self, name: str, data: bytes, predictor: NetworkPredictor) -> None:
        self.name, self.capabilities = name, predictor.capabilities
        self.runtime, self.predictor = onnx.session(data), predictor

    def score(self, queries: Queries) -> Scores:
        """Items alone."""
        found = onnx.ask(self.runtime, queries, self.predictor)["item_log_probability"]
        return Scores(np.concatenate([np.full((len(found), 2), -np.inf, np.float32), found], axis=1))

    def update(self, store: Store, rows: np.ndarray) -> None:
        """Nothing: what happened is in the history."""


def fitted(store: Store, params: Params, out: Path) -> dict[str, NetworkPredictor]:
    """All models of the params, fitted in their order, saved, and read back from their files."""
    made: dict[str, NetworkPredictor] = {}
    for name in [*params.training.models, *params.training.compressed]:
        if name == "memory":
            continue
        if (out / name / "config.json").is_file():
            made[name] = load_network(out / name)
            continue
        one: Any = learners.build(name, params)
        if isinstance(one, CompressedPredictor):
            one.source = made[params.training.compressed[name].of]
        begin = time.process_time()
        one.fit(Window(store, "train"), Window(store, "tune"), NoTracker())
        one.save(out / name)
        made[name] = load_network(out / name)
        log.info("%s: %.0f s of CPU", name, time.process_time() - begin)
    return made


def ml100k(data: Path, kept: Path) -> Record:
    """Everything on one log; models that are made stay below `kept`, and are not made again by the same code."""
    options = Options(
        source="recbole", path=data / "ml-100k", seen="filtered", protocol="temporal", target_time="hidden",
        params=CONFIG,
    )  # fmt: skip
    params, events, items, users = load_log(options, log.info)
    store = frame_to_store(events, items, users, params, Split(options.protocol))
    window, protocol = Window(store, "test", params.evaluation.history), Protocol.of(params.evaluation)
    queries = timed_queries(window, protocol)
    found: dict[str, tuple[Judgement, Cost]] = {}
    code = digest_of([code_digest(CODE["compress"]), CONFIG.read_text(), data_digest(store)])
    with tempfile.TemporaryDirectory(prefix="chronotope.") as temporary:
        folder, written_to = kept / code[:16], Path(temporary)
        made = fitted(store, params, folder)
        packed = {name: len(zlib.compress((folder / name / "weights.safetensors").read_bytes())) for name in made}
        asked: dict[str, tuple[Predictor | InOnnx, int]] = {
            name: (one, weight_bytes(folder / name)) for name, one in made.items()
        }
        parity: Record = {}
        checked, _ = make_queries(window, protocol, window.targets[:256])
        for name in (ORIGINAL, DISTILLED):
            data = onnx.graph(made[name], checked)
            for shown, graph in ((f"{name}, ONNX", data), (f"{name}, ONNX int8", onnx.quantised(data))):
                path = written_to / f"{shown}.onnx"
                try:
                    written = onnx.write(graph, made[name], checked, path, "int8" in shown)
                except IntegrityError as error:  # it differs by more than it may, and is not written: told so
                    parity[shown] = {"refused": error.found}
                    continue
                asked[shown] = (InOnnx(shown, path.read_bytes(), made[name]), written.bytes)
                parity[shown] = {"difference": written.difference, "tolerance": written.tolerance}
        for name, (one, size) in asked.items():
            cost = Cost(size, *milliseconds(one.score, queries))
            found[name] = (judge_by(params, one, window), cost)  # type: ignore[arg-type]
            log.info("%s: %s, %s", name, found[name][0].metric(params.evaluation.primary).mean(), cost)
    rows = compare.rows_of(found, ORIGINAL, params)
    taught = compare.rows_of({name: found[name] for name in ("gru", DISTILLED)}, "gru", params)
    return {
        "log": "ml-100k",
        "metric": params.evaluation.primary,
        "queries": len(found[ORIGINAL][0]),
        "protocol": protocol.record(),
        "rows": [row | {"packed_bytes": packed.get(row["model"])} for row in rows],
        "taught_against_alone": taught[1]["difference"],
        "parity": parity,
        "machine": machine(),
    }


def tables() -> Record:
    """One state against catalogues of several sizes."""
    rows = []
    for size in (2_000, 10_000, 100_000, 500_000):
        config = shape(size, "gru", {"layers": 1}, 50)
        torch.manual_seed(0)
        table = Int8ItemTable(config)
        states = torch.randn(1, 64)
        with torch.no_grad():
            plain = _best_ms(lambda table=table, states=states: table.product(states, None)(slice(None)))
            table.pack(None)
            small = _best_ms(lambda table=table, states=states: table.product(states, None)(slice(None)))
        rows.append({"items": size, "float_ms": plain, "int8_ms": small, "faster": plain / small})
        log.info("%s", rows[-1])
    return {"rows": rows, "machine": machine()}


def steps() -> Record:
    """One more event after `length`: a step, and a pass over all of them."""
    rows = []
    encoders: dict[str, Record] = {
        "gru": {"layers": 1},
        "transformer": {"layers": 2, "heads": 2, "feedforward": 2, "bias": "time"},
        "hstu": {"layers": 2, "heads": 2, "bias": "time"},
    }
    for (kind, options), length in itertools.product(encoders.items(), (50, 200)):
        config = shape(1_000, kind, options, length)
        torch.manual_seed(0)
        model = SequenceModel(config).eval()
        tokens = _tokens(length)
        view = begin(model, newest(tokens, 1))
        last = newest(tokens, length - 1)
        with torch.no_grad():
            full = _best_ms(lambda model=model, tokens=tokens: model.read(tokens))
            one = _best_ms(lambda model=model, view=view, last=last: step(model, view, last, 1))
        rows.append({"encoder": kind, "length": length, "full_ms": full, "step_ms": one, "faster": full / one})
        log.info("%s", rows[-1])
    return {"rows": rows, "machine": machine()}


def shape(items: int, encoder: str, options: Record, length: int) -> SequenceConfig:
    """Items alone, 64 wide."""
    return SequenceConfig(
        items=items + 2,
        actions=2,
        devices=2,
        categories=2,
        cells=(),
        numbers=0,
        encoder=encoder,
        options=options,
        width=64,
        max_history=length,
        dropout=0.0,
        inputs=("item",),
        heads={"item": 1.0},
        time_components=1,
        request_clock=False,
        conditioning="film",
        copy_heads=0,
        transition_lags=0,
        successors=1,
        item_bias=False,
        distance=False,
        temperature=None,
    )


def _tokens(length: int) -> Tokens:
    """A history of random items, an hour apart."""
    place = torch.arange(length)[None]
    return Tokens(
        codes={"item": torch.randint(2, 1_002, (1, length))},
        numbers=None,
        time_s=3_600 * place,
        point=None,
        position=place.flip(1),
        mask=torch.ones(1, length, dtype=torch.bool),
        begins=torch.zeros(1, dtype=torch.bool),
        hidden=None,
    )


def _best_ms(call: Any, times: int = 30) -> float:
    call()
    best = float("inf")
    for _ in range(times):
        begin = time.thread_time_ns()
        call()
        best = min(best, (time.thread_time_ns() - begin) / 1e6)
    return best


def main() -> None:
    """Run, say, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("ml100k", "tables", "steps"))
    parser.add_argument("--data", type=Path, help="folder of the data sets' folders")
    parser.add_argument("--json", type=Path)
    said = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.set_num_threads(1)
    if said.what == "ml100k":
        if said.data is None:
            parser.error("ml100k needs --data")
        with tempfile.TemporaryDirectory(prefix="chronotope.") as temporary:
            kept = Path(temporary) if said.json is None else said.json.with_name(said.json.name + ".parts")
            record = ml100k(said.data, kept)
    else:
        record = tables() if said.what == "tables" else steps()
    if said.json is not None:
        write_json(said.json, record)
    for row in record["rows"]:
        print(row)


if __name__ == "__main__":
    main()
