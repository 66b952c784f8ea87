"""Driver of pmixer's SASRec.pytorch: its model and its sampler, in the order in which its `main.py` uses them.

    PYTHON run_pmixer.py --log LOG.npz --code DIR

DIR is a checkout of https://github.com/pmixer/SASRec.pytorch; PYTHON has torch and numpy. Defaults of its `main.py`
but for the width. Its sampler works in processes of its own, whose CPU time counts. See `benchmarks/peers`.
"""

from __future__ import annotations

import argparse
import importlib
import multiprocessing
import sys
from pathlib import Path

import numpy as np
import torch
from rounds import Rounds

WIDTH, LENGTH, BATCH = 64, 200, 128
SETTINGS = {
    "maxlen": LENGTH, "hidden_units": WIDTH, "num_blocks": 2, "num_heads": 1, "dropout_rate": 0.2, "device": "cpu",
    "norm_first": False,
}  # fmt: skip


def main() -> None:
    """Train a step at a time, as often as asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--code", type=Path, required=True, help="the repository, or its folder `python`")
    options = parser.parse_args()
    inner = options.code / "python"
    sys.path.append(str(inner if inner.is_dir() else options.code))
    sampling, models = importlib.import_module("utils"), importlib.import_module("model")
    log = np.load(options.log)
    starts = np.flatnonzero(np.diff(log["user"])) + 1
    histories = {u + 1: list(map(int, items[:-2])) for u, items in enumerate(np.split(log["item"] + 1, starts))}
    users, items = len(histories), int(log["item"].max()) + 1
    sampler = sampling.WarpSampler(histories, users, items, batch_size=BATCH, maxlen=LENGTH, n_workers=3)
    torch.manual_seed(0)
    model = models.SASRec(users, items, argparse.Namespace(**SETTINGS))
    for weight in model.parameters():
        if weight.ndim > 1:
            torch.nn.init.xavier_normal_(weight)
    model.train()
    loss_of = torch.nn.BCEWithLogitsLoss()
    optimiser = torch.optim.Adam(model.parameters(), lr=0.001, betas=(0.9, 0.98))
    about = {"torch": torch.__version__, "threads": torch.get_num_threads(), "loss": "BCE, 1 negative", **SETTINGS}
    rounds = Rounds(about, lambda: [int(one.pid or 0) for one in multiprocessing.active_children()])
    more = True
    while more:
        user, seen, answer, other = (np.array(column) for column in sampler.next_batch())
        right, wrong = model(user, seen, answer, other)
        valid = np.nonzero(answer)
        loss = loss_of(right[valid], torch.ones(len(valid[0]))) + loss_of(wrong[valid], torch.zeros(len(valid[0])))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        more = rounds.after(len(valid[0]))
    sampler.close()


if __name__ == "__main__":
    main()
