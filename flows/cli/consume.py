"""`consume`: a Redis stream into the live state, as a member of a consumer group."""

from __future__ import annotations

import dataclasses
import datetime as dt
import logging
import os
import signal
import socket
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from components.errors import ConfigError
from components.params import load_params
from components.workspace import Settings
from flows.cli.edge import JsonOption, WorkspaceOption, console, enter, show


def consume(
    stream: Annotated[str, typer.Option("--stream", help="Name of the Redis stream.")],
    group: Annotated[str, typer.Option("--group", help="Name of the consumer group; made when it is not there.")],
    consumer: Annotated[
        str | None, typer.Option("--consumer", help="Name of this member; host and process when left out.")
    ] = None,
    claim_after: Annotated[
        float, typer.Option("--claim-after", help="Seconds of silence after which a member's entries are taken over.")
    ] = 60.0,
    drain: Annotated[bool, typer.Option("--drain", help="End when nothing is left, in place of waiting.")] = False,
    workspace: WorkspaceOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Take events from a Redis stream into the live state, each once, until SIGTERM or Ctrl-C.

    The server's address comes from CHRONOTOPE_STREAM, else CHRONOTOPE_STATE (`redis://…`).

    Example: `chronotope consume --stream events --group chronotope`
    """
    import redis

    from components.serving.consumer import Consumer, Membership
    from components.serving.state.open import open_state

    root, settings = enter(workspace), Settings()
    params = load_params(root / "params.yaml")
    address = settings.stream or settings.state
    if address is None:
        raise ConfigError(
            "the address of the Redis server of the stream",
            found="neither CHRONOTOPE_STREAM nor CHRONOTOPE_STATE",
            do="Set one, for example `export CHRONOTOPE_STREAM=redis://127.0.0.1:6379/0`.",
        )
    name = consumer or f"{socket.gethostname()}-{os.getpid()}"
    member = Membership(stream, group, name, batch=params.live.max_batch, claim_ms=int(1000 * claim_after))
    stop = _Stop()
    kept_at = settings.state.get_secret_value() if settings.state is not None else None
    state = open_state(root, params.live, kept_at, params.workspace.name)
    try:
        server = redis.Redis.from_url(address.get_secret_value(), protocol=2, socket_timeout=30)
        logging.getLogger("components.serving.consumer").setLevel(logging.INFO)
        tally = Consumer(server, member, state, params.events, stop, lambda: dt.datetime.now(dt.UTC)).run(drain)
    finally:
        state.close()
    show(
        dataclasses.asdict(tally),
        as_json,
        lambda: console.print(
            f"{tally.taken:,} records taken, {tally.duplicates:,} duplicates, {tally.dead:,} to `{member.dead}`."
        ),
    )


class _Stop:
    """Turns true with SIGTERM or Ctrl-C; the second one ends the process at once."""

    def __init__(self) -> None:
        self._told = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._tell)

    def _tell(self, number: int, _frame: FrameType | None) -> None:
        if self._told:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        self._told = True

    def __call__(self) -> bool:
        return self._told
