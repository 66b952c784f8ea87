"""A Prefect server that is away, slow or failing is one message of ours and no traceback. Never here: a flow."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from components.errors import ServiceError


@contextmanager
def prefect_answers() -> Iterator[None]:
    """Turn Prefect's words for a server that does not answer into ours, while a flow runs.

    Raises
    ------
    ServiceError
        It did not. What was done before stands, and the next run goes on from there.
    """
    import httpx  # Prefect's client; nothing else in a flow speaks through it

    try:
        yield
    except httpx.HTTPError as error:
        raise _away(type(error).__name__) from error
    except RuntimeError as error:
        if not str(error).startswith("Failed to reach API"):
            raise
        raise _away(str(error).rstrip("/")) from error


def _away(found: str) -> ServiceError:
    return ServiceError(
        "the Prefect server to answer",
        found=found,
        do="See that PREFECT_API_URL names one that runs, or unset it: then one is started for the time of the run.",
    )
