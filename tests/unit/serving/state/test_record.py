"""What is no record is told by its shape: what it says may be who a user is."""

from __future__ import annotations

import pytest

from components.errors import IntegrityError
from components.serving.state.record import record_of


@pytest.mark.parametrize("row", [["event", "x", "alice@example.com", "no time", 1, {}], "alice@example.com", 7, None])
def test_what_is_no_record_is_told_without_what_it_says(row: object) -> None:
    with pytest.raises(IntegrityError, match=r"a (list of 6|str of 17|int|NoneType)") as found:
        record_of(row)
    assert "alice" not in str(found.value)
