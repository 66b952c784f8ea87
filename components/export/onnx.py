"""ONNX: encoder and heads for histories of any number and length, checked in onnxruntime before a file is written.

The file answers as the model does within a stated tolerance, or it is not written. Beside it stands a JSON that says
what each input and output is. With `int8`, onnxruntime's own dynamic quantisation, the tolerance is wider and stated
too. The only place that imports onnx and onnxruntime (the extra `chronotope[onnx]`). Nothing in a file is executed
here but by onnxruntime's own operators, and only files that were made here a moment ago are opened.
"""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from components.compression.predictor import copy_of
from components.errors import ConfigError, IntegrityError
from components.export.graph import Answering, feed_of, inputs_of, outputs_of
from components.files import sha256_file, write_bytes, write_json
from components.predictor import Queries
from components.training.network import NetworkPredictor

#: Encoders whose graph holds any length; the others loop over steps in Python or write lists.
ENCODERS = ("rnn", "lstm", "gru", "cnn_rnn", "transformer", "hstu")
#: Largest difference of a probability, of a time's mean or deviation: float32 sums in another order.
TOLERANCE = 1e-4
#: The same in int8.
TOLERANCE_INT8 = 5e-2
_EXTRA = ("onnx", "onnxscript", "onnxruntime")


@dataclass(frozen=True)
class Exported:
    """What was written: the file, its bytes, the largest difference found, the tolerance, and over how many queries."""

    path: Path
    bytes: int
    difference: float
    tolerance: float
    queries: int


def export(predictor: NetworkPredictor, queries: Queries, path: Path, int8: bool = False) -> Exported:
    """Write a fitted network as ONNX, and `<path>.json` beside it.

    Parameters
    ----------
    predictor : fitted; a model that multiplies in int8 is exported with float products of the same weights
    queries : real ones, on which both must agree, alone and together
    path : of the file
    int8 : whether weights and products are quantised by onnxruntime

    Raises
    ------
    ConfigError
        The extra is not installed, or the encoder has no graph for every length.
    IntegrityError
        onnxruntime answers otherwise than torch; nothing is written.
    """
    absent = [name for name in _EXTRA if importlib.util.find_spec(name) is None]
    if absent:
        raise ConfigError(
            "the extra onnx", found=f"no {', '.join(absent)}", do="Install it: pip install 'chronotope[onnx]'."
        )
    config = predictor.model.config
    if config.encoder not in ENCODERS:
        raise ConfigError(
            f"an encoder of {', '.join(ENCODERS)} for ONNX",
            found=config.encoder,
            do="Distil it into a GRU (`training.compressed`) and export that.",
        )
    data = graph(predictor, queries)
    return write(quantised(data) if int8 else data, predictor, queries, path, int8)


def write(data: bytes, predictor: NetworkPredictor, queries: Queries, path: Path, int8: bool) -> Exported:
    """Check a graph against the model that it was made of, and write it; see `export`."""
    tolerance = TOLERANCE_INT8 if int8 else TOLERANCE
    difference = parity(data, predictor, queries)
    if not difference <= tolerance:
        raise IntegrityError(
            f"answers in onnxruntime within {tolerance:g} of torch's",
            found=f"a difference of {difference:.2g} over {len(queries)} queries; nothing was written",
            do="Export without int8." if int8 else "Report it with the model's config.json.",
        )
    write_bytes(path, data)
    found = Exported(path, len(data), difference, tolerance, len(queries))
    write_json(path.with_name(path.name + ".json"), record_of(predictor, found, int8))
    return found


def graph(predictor: NetworkPredictor, queries: Queries) -> bytes:
    """The model as ONNX, without traces of the machine that made it."""
    model = Answering(copy_of(predictor.model).cpu(), predictor.temperatures)
    fields = inputs_of(predictor.model.config)
    feed = feed_of(_long_and_several(queries), predictor.model.config)
    free = torch.export.Dim.DYNAMIC
    moves = {"batch": free, "length": free}
    shapes = tuple({i: moves[str(word)] for i, word in enumerate(one.shape) if word in moves} for one in fields)
    torch.compiler.reset()  # what an earlier export of a like model has learned about its shapes
    with _quiet(), torch.no_grad():
        program: Any = torch.onnx.export(
            model,
            tuple(feed.values()),
            dynamo=True,
            dynamic_shapes=(shapes,),
            input_names=[one.name for one in fields],
            output_names=[one.name for one in outputs_of(predictor.model.config)],
            verbose=False,
        )
    proto = program.model_proto
    for node in [*proto.graph.node, *(node for function in proto.functions for node in function.node)]:
        del node.metadata_props[:]  # stack traces with paths
        node.doc_string = ""
    for value in [*proto.graph.value_info, *proto.graph.input, *proto.graph.output, *proto.graph.initializer]:
        del value.metadata_props[:]
    del proto.graph.metadata_props[:]
    del proto.metadata_props[:]
    found: bytes = proto.SerializeToString()
    return found


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporters' running commentary and their warnings about themselves."""
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)


def quantised(data: bytes) -> bytes:
    """The graph with weights in int8, by onnxruntime's dynamic quantisation, channel by channel."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with _quiet(), tempfile.TemporaryDirectory(prefix="chronotope.") as folder:
        source, target = Path(folder) / "float.onnx", Path(folder) / "int8.onnx"
        source.write_bytes(data)
        quantize_dynamic(source, target, weight_type=QuantType.QInt8, per_channel=True)
        return target.read_bytes()


def session(data: bytes) -> Any:
    """A graph in onnxruntime, on one thread of the CPU."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])


def ask(runtime: Any, queries: Queries, predictor: NetworkPredictor) -> dict[str, NDArray]:
    """Answers of a session, by name of the output."""
    wanted = {one.name for one in runtime.get_inputs()}
    feed = feed_of(queries, predictor.model.config)
    names = [one.name for one in outputs_of(predictor.model.config)]
    found = runtime.run(names, {name: tensor.numpy() for name, tensor in feed.items() if name in wanted})
    return dict(zip(names, found, strict=True))


def parity(data: bytes, predictor: NetworkPredictor, queries: Queries) -> float:
    """Largest difference of any number of any answer, items as probabilities; NaN where one is not a number."""
    runtime = session(data)
    alone = [queries[n : n + 1] for n in range(min(len(queries), 8))]
    return float(max(_difference(runtime, part, predictor) for part in [queries, *alone]))


def _difference(runtime: Any, queries: Queries, predictor: NetworkPredictor) -> float:
    ours, theirs = predictor.score(queries), ask(runtime, queries, predictor)
    pairs: list[tuple[NDArray, NDArray]] = [(np.exp(ours.item[:, 2:]), np.exp(theirs["item_log_probability"]))]
    for head, values in (("action", ours.action), ("place", ours.place)):
        if values is not None:
            pairs.append((values[:, 2:], theirs[f"{head}_probability"]))
    if ours.time is not None:
        pairs += [(getattr(ours.time, part), theirs[f"time_{part}"]) for part in ("weight", "mean", "sigma")]
    gaps = [np.abs(a.astype(np.float64) - b).max() for a, b in pairs]
    return float("nan") if np.isnan(gaps).any() else float(np.max(gaps))


def _long_and_several(queries: Queries) -> Queries:
    """Queries whose shapes the exporter takes for no special case: several, the longest among them."""
    length = queries.stop - queries.start
    if len(queries) < 2 or int(length.max(initial=0)) < 2:
        raise ConfigError(
            "at least two queries, one of them with a history of two events",
            found=f"{len(queries)}, the longest of {int(length.max(initial=0))} events",
            do="Export from a workspace whose test window holds some.",
        )
    return queries[np.argsort(-length, kind="stable")[:3]]


def record_of(predictor: NetworkPredictor, found: Exported, int8: bool) -> dict[str, Any]:
    """What a user of the file must know."""

    def told(fields: Sequence[Any]) -> list[dict[str, Any]]:
        return [asdict(one) | {"shape": list(one.shape)} for one in fields]

    config = predictor.model.config
    return {
        "model": predictor.name,
        "encoder": config.encoder,
        "max_history": config.max_history,
        "int8": int8,
        "inputs": told(inputs_of(config)),
        "outputs": told(outputs_of(config)),
        "encoding": predictor.record()["encoding"],
        "sha256": sha256_file(found.path),
        "bytes": found.bytes,
        "tolerance": found.tolerance,
        "difference": found.difference,
        "queries": found.queries,
    }
