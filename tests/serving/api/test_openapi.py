"""The published document: every route, examples that fit, and the one shape of errors."""

from __future__ import annotations

import json

import pytest
import schemathesis

from serving.api.app import PATHS
from serving.api.openapi import MAIN_ERRORS, document, specification
from serving.api.openapi_examples import ANSWERS, REQUESTS
from serving.api.routes import ENDPOINTS
from serving.schemas.responses import ErrorReply
from tests.serving.shapes import published


def test_every_path_that_is_answered_is_published() -> None:
    assert set(json.loads(document())["paths"]) == PATHS


@pytest.mark.parametrize("path", sorted(ENDPOINTS))
def test_the_examples_are_requests_and_answers_of_their_call(path: str) -> None:
    ENDPOINTS[path].request.model_validate(REQUESTS[path])
    published(ENDPOINTS[path].reply, ANSWERS[path])


def test_the_document_is_valid_openapi_with_one_operation_id_for_each_operation() -> None:
    paths = json.loads(document())["paths"]
    schemathesis.openapi.from_dict(json.loads(document())).validate()
    operations = [call for calls in paths.values() for call in calls.values()]
    names = [operation.get("operationId") for operation in operations]
    assert None not in names
    assert len(set(names)) == len(names)


def test_text_is_published_as_text_so_that_generated_clients_have_its_type() -> None:
    for path, calls in json.loads(document())["paths"].items():
        for call in calls.values():
            for kind, content in call["responses"]["200"]["content"].items():
                assert (content["schema"].get("type") == "string") == kind.startswith("text/"), (path, kind)
    page = specification()["paths"]["/api"]["get"]["responses"]["200"]["content"]
    assert page == {"text/html": {"schema": {"type": "string"}}}


def test_every_error_of_every_route_has_the_one_shape_and_an_example() -> None:
    codes = {error.status: error.code for error in MAIN_ERRORS}
    for path, calls in specification()["paths"].items():
        for call in calls.values():
            for status, answer in call["responses"].items():
                if status == "200":
                    continue
                body = answer["content"]["application/json"]
                assert body["schema"] == {"$ref": "#/components/schemas/ErrorReply"}, (path, status)
                error = published(ErrorReply, body["example"]).error
                assert error.code == codes[int(status)]
