"""The published document: every route, examples that fit, and the one shape of errors."""

from __future__ import annotations

import json

import pytest

from serving.api.app import OWN
from serving.api.openapi import ANSWERS, ERRORS, EXAMPLES, document, specification
from serving.api.routes import ENDPOINTS
from serving.schemas.responses import ErrorReply
from tests.serving.shapes import published


def test_every_route_that_the_gate_answers_is_published() -> None:
    assert set(json.loads(document())["paths"]) == OWN


@pytest.mark.parametrize("path", sorted(ENDPOINTS))
def test_the_examples_are_requests_and_answers_of_their_call(path: str) -> None:
    ENDPOINTS[path].request.model_validate(EXAMPLES[path])
    published(ENDPOINTS[path].reply, ANSWERS[path])


def test_every_error_of_every_route_has_the_one_shape_and_an_example() -> None:
    for path, calls in specification()["paths"].items():
        for call in calls.values():
            for status, answer in call["responses"].items():
                if status == "200":
                    continue
                said = answer["content"]["application/json"]
                assert said["schema"] == {"$ref": "#/components/schemas/ErrorReply"}, (path, status)
                error = published(ErrorReply, said["example"]).error
                assert error.code == ERRORS[int(status)][0]
