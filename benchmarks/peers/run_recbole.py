"""Driver of RecBole's SASRec: its data set, its loader and the epoch of its trainer.

    PYTHON run_recbole.py --log LOG.npz

PYTHON has `recbole`. Its model's defaults (cross-entropy over the catalogue, inner size 256) but for the length, and
batches of 2,048 samples are cut to 128: a sample is one target behind its prefix. See `benchmarks/peers`.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from recbole.config import Config
from recbole.data import create_dataset, data_preparation
from recbole.model.sequential_recommender import SASRec
from recbole.trainer import Trainer
from rounds import Rounds

SETTINGS: dict[str, Any] = {
    "MAX_ITEM_LIST_LENGTH": 200, "hidden_size": 64, "n_layers": 2, "n_heads": 2, "inner_size": 256, "loss_type": "CE",
    "train_batch_size": 128,
}  # fmt: skip


class Asked:
    """The loader's batches for as long as somebody asks; a batch is over when the trainer takes the next."""

    def __init__(self, loader: Any, rounds: Rounds) -> None:
        self.loader, self.rounds = loader, rounds

    def __getattr__(self, name: str) -> Any:
        return getattr(self.loader, name)

    def __iter__(self) -> Iterator[Any]:
        for batch in self.loader:
            yield batch
            if not self.rounds.after(len(batch)):
                return


def main() -> None:
    """Train until nobody asks for more."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--log", type=Path, required=True)
    options = parser.parse_args()
    log = np.load(options.log)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "log").mkdir()
        table = np.stack([log["user"] + 1, log["item"] + 1, np.arange(len(log["user"]))], axis=1)
        head = "user_id:token\titem_id:token\ttimestamp:float"
        np.savetxt(Path(folder) / "log" / "log.inter", table, "%d", "\t", header=head, comments="")
        settings = {
            **SETTINGS, "data_path": folder, "checkpoint_dir": folder, "use_gpu": False, "show_progress": False,
            "load_col": {"inter": ["user_id", "item_id", "timestamp"]}, "train_neg_sample_args": None,
            "eval_args": {"split": {"LS": "valid_and_test"}, "group_by": "user", "order": "TO", "mode": "full"},
        }  # fmt: skip
        config = Config(model="SASRec", dataset="log", config_dict=settings)
        data = create_dataset(config)
        loader, _, _ = data_preparation(config, data)
        model = SASRec(config, loader.dataset)
        trainer = Trainer(config, model)
    about = {name: importlib.metadata.version(name) for name in ("recbole", "torch", "numpy", "pandas")}
    rounds = Rounds(about | {"threads": torch.get_num_threads(), "samples": len(loader.dataset)} | SETTINGS)
    trainer._train_epoch(Asked(loader, rounds), 0)


if __name__ == "__main__":
    main()
