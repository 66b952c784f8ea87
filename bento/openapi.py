"""The document of the API (OpenAPI 3.1), made of the table of routes: what is not in it is not served, so nothing is
missing here."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from bento.exchange import JSON
from bento.routes.route import Route
from bento.schemas.base import ErrorResponse

_REF = "#/components/schemas/{model}"
_ALWAYS = (401, 403, 429, 500, 503)
_WITH_BODY = (400, 408, 413, 415, 422)


def _schema(model: type[BaseModel]) -> dict[str, Any]:
    return {"$ref": _REF.format(model=model.__name__)}


def _content(gives: type[BaseModel] | str) -> dict[str, Any]:
    if isinstance(gives, str):
        return {gives: {"schema": {"type": "string"}}}
    return {JSON: {"schema": _schema(gives)}}


def statuses(route: Route) -> tuple[int, ...]:
    """Statuses of refusals that a route may give."""
    with_parts = (422,) if route.parts or route.query else ()
    return tuple(sorted({*_ALWAYS, *(_WITH_BODY if route.takes else with_parts), *route.refuses, *route.also}))


def _operation(route: Route) -> dict[str, Any]:
    answers: dict[str, Any] = {"200": {"description": "The answer.", "content": _content(route.gives)}}
    for status in statuses(route):
        schema = _schema(ErrorResponse)
        if status in route.also:
            schema = {"anyOf": [schema, _schema(route.also[status])]}
        answers[str(status)] = {"description": HTTPStatus(status).phrase, "content": {JSON: {"schema": schema}}}
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1, "maxLength": 256}}
        for name in route.parts
    ]
    parameters += [
        {"name": one.name, "in": "query", "required": False, "description": one.told, "schema": one.schema}
        for one in route.query
    ]
    operation: dict[str, Any] = {
        "operationId": route.name, "summary": route.told, "responses": answers, "parameters": parameters,
        "security": [{"key": []}] if route.scope else [],
    }  # fmt: skip
    if route.scope:
        operation["description"] = f"Where keys are configured: needs the scope `{route.scope}`."
    if route.takes is not None:
        operation["requestBody"] = {"required": True, "content": _content(route.takes)}
    return operation


def document(routes: Sequence[Route]) -> dict[str, Any]:
    """The document of those routes that are described."""
    shown = [route for route in routes if route.described]
    models = {ErrorResponse} | {one for route in shown for one in (route.takes, route.gives, *route.also.values())
                                if isinstance(one, type)}  # fmt: skip
    kinds = [(one, "validation" if any(one is route.takes for route in shown) else "serialization") for one in models]
    _, shapes = models_json_schema(sorted(kinds, key=lambda kind: kind[0].__name__), ref_template=_REF)  # type: ignore[arg-type]
    paths: dict[str, dict[str, Any]] = {}
    for route in shown:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Chronotope", "version": "1", "description": "What each user does next, when and where."},
        "paths": paths,
        "components": {
            "schemas": shapes["$defs"],
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
    }
