"""A workspace: one log, one champion. Its paths, its lock, its identity, and the settings of its surroundings.

Nothing here reads events or models, and nothing here decides.
"""

from components.workspace.lock import Holder, hold, hold_file, holder
from components.workspace.origin import data_digest, environment, environment_digest, git_sha, params_digest
from components.workspace.paths import Settings, Workspace

__all__ = [
    "Holder",
    "Settings",
    "Workspace",
    "data_digest",
    "environment",
    "environment_digest",
    "git_sha",
    "hold",
    "hold_file",
    "holder",
    "params_digest",
]
