"""JSON from a model: whether it follows its schema, and asking once more where it does not. Pure."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import orjson

from integrations import schemas
from integrations.providers.base import ChatMessage, CompletionRequest

TRIES = 2


def problem(text: str, schema: Mapping[str, Any]) -> str:
    """What keeps a model's words from following a checked schema, in a sentence; "" where they do."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return "It is no JSON."
    return schemas.problem(value, schema)


def once_more(request: CompletionRequest, *, said: str, problem: str) -> CompletionRequest:
    """The same question, to a model that did not keep to the schema."""
    reply = f"That does not follow the schema. {problem} Answer with the JSON alone."
    return replace(request, messages=(*request.messages, ChatMessage("assistant", said), ChatMessage("user", reply)))
