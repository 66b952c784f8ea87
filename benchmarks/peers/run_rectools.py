"""Driver of RecTools' SASRec, trained by its own `fit`.

    PYTHON run_rectools.py --log LOG.npz --loss softmax|gBCE

PYTHON has `rectools[torch]`. Its defaults but for the size, which is that of the others. See `benchmarks/peers`.
"""

from __future__ import annotations

import argparse
import importlib.metadata
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytorch_lightning as lightning
import torch
from rectools.dataset import Dataset
from rectools.models import SASRecModel
from rounds import Rounds

SETTINGS: dict[str, Any] = {
    "n_factors": 64, "n_blocks": 2, "n_heads": 2, "session_max_len": 200, "batch_size": 128, "dropout_rate": 0.2,
    "dataloader_num_workers": 0,
}  # fmt: skip


class Steps(lightning.Callback):
    """Between two batches, ask whether to go on."""

    def __init__(self, rounds: Rounds) -> None:
        self.rounds = rounds

    def __deepcopy__(self, memo: Any) -> Steps:
        return self  # `fit` copies its trainer; there is one conversation

    def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Count the places whose answer is no padding."""
        if not self.rounds.after(int((batch["y"] != 0).sum())):
            trainer.should_stop = True


def main() -> None:
    """Train until nobody asks for more."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--loss", required=True, choices=["softmax", "gBCE"])
    options = parser.parse_args()
    log = np.load(options.log)
    user, item = log["user"], log["item"]
    last = np.append(np.flatnonzero(np.diff(user)), len(user) - 1)
    shown = np.ones(len(user), bool)
    shown[last] = shown[last - 1] = False
    table = pd.DataFrame({"user_id": user, "item_id": item, "weight": 1.0, "datetime": np.arange(len(user))})[shown]
    table["datetime"] = pd.to_datetime(table["datetime"], unit="s")
    drawn = {"n_negatives": 256, "gbce_t": 0.75} if options.loss == "gBCE" else {}
    names = ("rectools", "torch", "numpy", "pandas", "pytorch-lightning")
    about = {name: importlib.metadata.version(name) for name in names}
    rounds = Rounds(about | {"threads": torch.get_num_threads(), "loss": options.loss} | SETTINGS | drawn)

    def trainer() -> lightning.Trainer:
        return lightning.Trainer(
            max_epochs=1000, accelerator="cpu", devices=1, logger=False, enable_checkpointing=False,
            enable_progress_bar=False, enable_model_summary=False, callbacks=[Steps(rounds)],
        )  # fmt: skip

    SASRecModel(loss=options.loss, get_trainer_func=trainer, **drawn, **SETTINGS).fit(Dataset.construct(table))


if __name__ == "__main__":
    main()
