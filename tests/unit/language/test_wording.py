"""Templates: cut where what they depend on changes, and silent about what is not known."""

from __future__ import annotations

import pytest

from components.errors import ConfigError
from components.language.wording import DAYPARTS, GAP_EDGES_S, GAPS, HOURS, Piece, pieces

WORDS = {"title": ["", "Louvre"], "category": ["", "museum"], "hour": HOURS, "daypart": DAYPARTS}


def test_a_template_is_cut_where_what_it_depends_on_changes() -> None:
    found = pieces("{title} ({category}) on {weekday}, {daypart} {hour}", timed=True)
    assert found == (
        Piece("item", (("", "title"), (" (", "category"))),
        Piece("weekday", ((") on ", "weekday"),)),
        Piece("hour", ((", ", "daypart"), (" ", "hour"))),
    )


def test_every_code_has_a_wording_and_what_is_empty_is_left_out_with_its_words() -> None:
    piece = Piece("item", (("a ", "title"), (" of kind ", "category")))
    assert piece.wordings({"title": ["", "Louvre", ""], "category": ["", "", "museum"]}) == [
        "",
        "a Louvre",
        " of kind museum",
    ]
    hours = pieces("{hour}, {daypart}", timed=True)[0].wordings(WORDS)
    assert (hours[0], hours[12], hours[23]) == ("12 am, night", "12 pm, afternoon", "11 pm, evening")


def test_a_log_of_mere_order_is_told_without_times() -> None:
    assert [piece.column for piece in pieces("{gap} {action} at {hour} {title}", timed=False)] == ["action", "item"]


def test_there_are_words_for_every_gap() -> None:
    assert len(GAPS) == len(GAP_EDGES_S) + 2


@pytest.mark.parametrize(
    ("template", "found"),
    [("{mood}", "`mood`"), ("", "none"), ("only words", "none"), ("{hour", "expected '}'"), ("{hour:02d}", "none")],
)
def test_a_template_that_says_nothing_sound_is_refused(template: str, found: str) -> None:
    with pytest.raises(ConfigError, match=found):
        pieces(template, timed=True)


def test_a_template_of_times_alone_is_refused_where_there_are_none() -> None:
    with pytest.raises(ConfigError, match="fields of"):
        pieces("{weekday} {hour}", timed=False)
