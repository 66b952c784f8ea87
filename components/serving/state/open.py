"""Opens the live state of a workspace where the environment says that it is. Keeps nothing itself."""

from __future__ import annotations

from pathlib import Path

from components.errors import ConfigError
from components.events.live import read_cursor
from components.params.live import LiveParams
from components.serving.state.folder import FolderState
from components.serving.state.protocol import State
from components.workspace import Workspace

_SCHEMES = ("redis://", "rediss://", "unix://")


def open_state(root: Path, params: LiveParams, url: str | None, name: str | None = None) -> State:
    """The live state of a workspace. One that is lost begins anew, at offsets beyond those that were collected.

    Parameters
    ----------
    root : the workspace
    params : section `live`; `durability` and `recent_mb` are heeded
    url : None: the folder `.chronotope/live`; else a Redis server, `redis://[user:password@]host[:port][/db]`,
        `rediss://…` with TLS, or `unix:///path/to/socket`
    name : of the workspace, which its keys on a server begin with; default: the folder's

    Raises
    ------
    ConfigError
        The address is none of these, or the server does not keep what it takes as long as `durability` asks.
    ServiceError
        The server does not answer.
    StorageError, IntegrityError
        The folder cannot be written, or is damaged.
    """
    begin, most = read_cursor(root).offset, int(params.recent_mb * (1 << 20))
    if url is None:
        return FolderState(Workspace(root).live, params.durability, begin=begin, most_bytes=most)
    if not url.startswith(_SCHEMES):
        raise ConfigError(
            f"an address that begins with {', '.join(_SCHEMES)} in CHRONOTOPE_STATE",
            found=repr(url.partition(":")[0]),
            do="Leave it out to keep the live state in the workspace.",
        )
    from components.serving.state.redis import RedisState  # who keeps it in a folder needs no client of servers

    return RedisState(url, params.durability, name or root.resolve().name, begin=begin, most_bytes=most)
