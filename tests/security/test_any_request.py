"""Whatever the document of the API allows, and what it does not: no failure inside, every answer as it is described."""

from __future__ import annotations

from collections.abc import Iterator

import hypothesis
import pytest
import schemathesis
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks

from bento.openapi import document
from bento.routes.table import ROUTES
from tests.live import params_with, toy_app
from tests.running import running
from tests.serving import toy_champion

FEW, MANY = 10, 250
EXPECTED = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.unsupported_method,
]
DOCUMENT = schemathesis.openapi.from_dict(document(ROUTES))
DOCUMENT.config.generation.update(modes=[GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
ALL = DOCUMENT.exclude(operation_id="live_stream")  # it never ends: tests/security/test_slow_and_many.py
QUESTIONS = DOCUMENT.include(path_regex="^/v1/(predict|recommend|explain)$")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with running(toy_app(params_with(guard={"log": "refused"}), toy_champion())) as found:
        yield found


def examples(n: int) -> hypothesis.settings:
    return hypothesis.settings(
        max_examples=n, deadline=None, derandomize=True, database=None,
        suppress_health_check=list(hypothesis.HealthCheck), phases=[hypothesis.Phase.generate],
    )  # fmt: skip


@ALL.parametrize()
@examples(FEW)
def test_a_few_requests(case: schemathesis.Case, url: str) -> None:
    case.call_and_validate(base_url=url, checks=EXPECTED)


@pytest.mark.slow
@ALL.parametrize()
@examples(MANY)
def test_many_requests(case: schemathesis.Case, url: str) -> None:
    case.call_and_validate(base_url=url, checks=EXPECTED)


@QUESTIONS.parametrize()
@examples(FEW)
def test_a_question_that_the_schema_does_not_allow_is_not_answered(case: schemathesis.Case, url: str) -> None:
    case.call_and_validate(base_url=url, checks=[*EXPECTED, checks.negative_data_rejection])
