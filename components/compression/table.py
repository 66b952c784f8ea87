"""The item table whose product with the states is computed in int8: what a large catalogue's answer takes its time for.

Items are int8 codes with a scale each (`int8.py`), category included; a state is rounded to int8 by its own largest
number. Products of codes are whole numbers: a few states go through a loop over int8 (a quarter of the memory to
read), many through a float product of the same codes, which is exact below 1,040 dimensions, so that an answer is the
same to the bit however it is asked. A small catalogue fits the cache as it is, and its products stay in float.
torch's own int8 kernels are not used: those that are fast on a CPU are to be
removed with its quantised tensors (2.13 warns), and `torch._int_mm` is slower than float without VNNI.
Look-ups read float vectors: memory in use does not shrink. Never trains; on a GPU products stay in float.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from components.compiled import released
from components.compression.int8 import rounded
from components.models.config import SequenceConfig
from components.models.embedding import ItemTable
from components.models.heads import item_operands
from components.models.sequence import SequenceModel

_SMALL = 1 << 15  # items, below which int8 gains nothing
_FEW = 4  # states, up to which the loop is faster
_WIDEST = 1040  # dimensions, up to which sums of products of codes are exact in float32
_BLOCK = 1 << 16  # items whose codes are widened at once


class Int8ItemTable(ItemTable):
    """An ItemTable with codes of itself in int8, for products alone."""

    def __init__(self, config: SequenceConfig) -> None:
        super().__init__(config)
        self.code: Tensor | None = None  # (V - 2, d) int8; None: products stay in float
        self.scale = torch.empty(0)  # (V - 2,)

    def pack(self, temperature: float | None) -> None:
        """Make the codes of the present weights, of a catalogue that is large enough."""
        with torch.no_grad():
            table = self.all().float().cpu()
            _, rows = item_operands(torch.zeros(1, table.shape[1]), table, temperature)
            if len(rows) >= _SMALL:
                self.code, self.scale = rounded(rows)

    def product(
        self, states: Tensor, temperature: float | None, vectors: Tensor | None = None
    ) -> Callable[[slice], Tensor]:
        """Rows of (n, d) states → (m, V - 2) item logits."""
        if self.code is None or states.device.type != "cpu" or states.shape[1] >= _WIDEST:
            return super().product(states, temperature, vectors)
        items, scale = self.code, self.scale
        left = states.float() if temperature is None else F.normalize(states.float(), dim=1) / temperature
        code, size = rounded(left)

        def logits(part: slice) -> Tensor:
            rows = code[part]
            if len(rows) > _FEW:
                whole = [rows.float() @ some.float().T for some in torch.split(items, _BLOCK)]
                return torch.cat(whole, 1) * scale * size[part, None]
            out = torch.empty(len(rows), len(items))
            multiply(items.numpy(), scale.numpy(), rows.numpy(), size[part].numpy(), out.numpy())
            return out

        return logits


@released
def multiply(
    items: NDArray[np.int8],
    scale: NDArray[np.float32],
    states: NDArray[np.int8],
    size: NDArray[np.float32],
    out: NDArray[np.float32],
) -> None:
    """(V, d) codes of items times (m, d) codes of states, with their scales (V,) and (m,), into `out` (m, V)."""
    for v in range(len(items)):
        for m in range(len(states)):
            total = np.int32(0)
            for j in range(items.shape[1]):
                total += np.int32(np.int16(items[v, j]) * np.int16(states[m, j]))
            out[m, v] = np.float32(total) * scale[v] * size[m]


def with_int8_products(model: SequenceModel) -> SequenceModel:
    """The model with its item table replaced by one that multiplies in int8; weights are shared, not copied."""
    table = Int8ItemTable(model.config)
    table.load_state_dict(model.embedding.table.state_dict(), assign=True)
    table.pack(model.config.temperature)
    model.embedding.table = table
    return model
