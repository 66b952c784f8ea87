"""A sequence model as a function of plain tensors: named inputs in, named answers out; what is exported.

Inputs are what `training.gather` makes of a history, so offline, live and exported answers come from the same columns.
Never reads a store but by that module, and never writes a file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from components.models.config import SequenceConfig
from components.models.sequence import SequenceModel
from components.models.tokens import Request, Tokens
from components.predictor import Queries
from components.training.gather import input_columns, query_request, query_slices, tokens_of

_REQUEST = ("hour", "weekday", "minute_of_day", "log_gap", "known")


@dataclass(frozen=True)
class Field:
    """One input or output: its name, type, shape by words, and what it is."""

    name: str
    type: str
    shape: tuple[str | int, ...]
    about: str


def inputs_of(config: SequenceConfig) -> tuple[Field, ...]:
    """Inputs of an exported model, in order."""
    row = ("batch", "length")
    found = [Field(name, "int64", row, _code(name)) for name in input_columns(config)]
    if "numbers" in config.inputs:
        told = "scaled numbers of each event in the order of the encoding, then 1 for each that was missing"
        found.append(Field("numbers", "float32", (*row, 2 * config.numbers), told))
    found.append(Field("time_s", "int64", row, "UTC seconds of each event; the start token has that of the first"))
    if config.reads_points:
        found.append(Field("point", "float32", (*row, 3), "place on the unit sphere, zero where unknown"))
    if "position" in config.inputs:
        found.append(Field("position", "int64", row, "steps back from the last token, 0 there"))
    found.append(Field("tokens", "int64", ("batch",), "tokens of each row, start token included; the rest is padding"))
    found.append(Field("begins", "bool", ("batch",), "whether the first token is the start of the user's history"))
    if config.request_clock:
        about = {
            "hour": "local hour of the request, 0..23",
            "weekday": "0 = Monday",
            "minute_of_day": "local, 0..1440",
            "log_gap": "log(1 + seconds since the last event)",
            "known": "false: the clock is not known",
        }
        types = {"minute_of_day": "float32", "log_gap": "float32", "known": "bool"}
        found += [Field(f"request_{n}", types.get(n, "int64"), ("batch",), about[n]) for n in _REQUEST]
    return tuple(found)


def outputs_of(config: SequenceConfig) -> tuple[Field, ...]:
    """Outputs of an exported model, in order."""
    found = [
        Field(
            "item_log_probability", "float32", ("batch", config.items - 2), "natural logarithm; column k is code k + 2"
        )
    ]
    sizes = {"action": config.actions, "place": config.cells[-1][1] if config.cells else 2}
    for head, size in sizes.items():
        if head in config.heads:
            found.append(Field(f"{head}_probability", "float32", ("batch", size - 2), "column k is code k + 2"))
    if "time" in config.heads:
        shape = ("batch", config.time_components)
        told = "of the log-normal mixture of log(1 + seconds to the next event)"
        found += [Field(f"time_{part}", "float32", shape, f"{part} {told}") for part in ("weight", "mean", "sigma")]
    return tuple(found)


def _code(name: str) -> str:
    known = {"hour": "local hour, 0..23", "weekday": "0 = Monday", "holiday": "1 on a holiday"}
    return known.get(name, f"codes of the vocabulary `{name}`, 0 at the start token and where padded, 1 unknown")


def feed_of(queries: Queries, config: SequenceConfig) -> dict[str, Tensor]:
    """Queries as the inputs of an exported model."""
    slices = query_slices(queries, config.max_history)
    tokens = tokens_of(queries.store, slices, config)
    request = query_request(queries, config)
    found: dict[str, Tensor] = dict(tokens.codes)
    found |= {"time_s": tokens.time_s, "position": tokens.position, "begins": tokens.begins}
    found |= {name: one for name, one in (("numbers", tokens.numbers), ("point", tokens.point)) if one is not None}
    found["tokens"] = torch.from_numpy(slices.length)
    if request is not None:
        found |= {f"request_{name}": getattr(request, name) for name in _REQUEST}
    return {field.name: found[field.name] for field in inputs_of(config)}


class Answering(nn.Module):
    """A model behind named tensors; temperatures are applied, as in every answer of its predictor."""

    def __init__(self, model: SequenceModel, temperatures: Mapping[str, float]) -> None:
        super().__init__()
        self.model, self.temperatures = model.eval(), dict(temperatures)
        self.names = tuple(field.name for field in inputs_of(model.config))

    def forward(self, *given: Tensor) -> tuple[Tensor, ...]:
        """Inputs in the order of `inputs_of` → outputs in the order of `outputs_of`."""
        config = self.model.config
        named = dict(zip(self.names, given, strict=True))
        length = named["tokens"]
        time_s = named["time_s"]
        tokens = Tokens(
            codes={name: named[name] for name in input_columns(config)},
            numbers=named.get("numbers"),
            time_s=time_s,
            point=named.get("point"),
            position=named.get("position", time_s),
            mask=torch.arange(time_s.shape[1], device=length.device) < length[:, None],
            begins=named["begins"],
            hidden=None,
        )
        request = None
        if config.request_clock:
            request = Request(**{name: named[f"request_{name}"] for name in _REQUEST})
        found = self.model.answer(self.model.read(tokens), length - 1, request)
        out = [self._calibrated("item", found.item)]
        if found.action is not None:
            out.append(self._calibrated("action", found.action).exp())
        if found.place is not None:
            out.append(found.place.exp())
        if found.time is not None:
            weight, mean, sigma = found.time
            out += [weight.exp(), mean, sigma]
        return tuple(out)

    def _calibrated(self, head: str, log_p: Tensor) -> Tensor:
        temperature = self.temperatures.get(head, 1.0)
        return log_p if temperature == 1.0 else torch.log_softmax(log_p / temperature, 1)
