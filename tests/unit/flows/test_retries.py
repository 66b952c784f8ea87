"""What a task is tried again for."""

from __future__ import annotations

import pytest
from prefect.states import Failed

from components.errors import BusyError, DataError, ServiceError
from flows.tasks import passes_by_itself

TOLD = {"found": "another", "do": "Wait."}


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (BusyError("a lock", **TOLD), True),
        (ServiceError("a server", **TOLD), True),
        (DataError("rows", **TOLD), False),
        (ValueError("a defect"), False),
    ],
)
def test_only_what_can_pass_by_itself_is_tried_again(error: Exception, again: bool) -> None:
    assert passes_by_itself(None, None, Failed(data=error)) is again
