"""Asking a model for JSON: what does not fit costs one more try, and nothing else."""

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from chat.structures import Misfit
from integrations import structures
from integrations.providers.base import Attempt, Code, CompletionRequest, ProviderError
from integrations.services import completions

log = logging.getLogger(__name__)

T = TypeVar("T")


async def ask(request: CompletionRequest, *, read: Callable[[str], T]) -> tuple[T | None, list[Attempt]]:
    """What `read` made of the model's words, None where it raised `Misfit` twice or the provider failed; and the calls it took.

    A server that refuses the request may not know schemas: the second try says it in words alone.
    """
    attempts: list[Attempt] = []
    for _ in range(structures.TRIES):
        try:
            said, finished = await completions.complete(request)
        except ProviderError as error:
            attempts += error.attempts
            log.info("No %s for message %s: %r", request.purpose, request.message_id, error)
            if error.code != Code.REFUSED or request.schema is None:
                break
            request = replace(request, schema=None)
            continue
        attempts += finished.attempts
        try:
            return read(said), attempts
        except Misfit as problem:
            log.info("The %s for message %s does not fit: %s", request.purpose, request.message_id, problem)
            request = structures.once_more(request, said=said, problem=str(problem))
    return None, attempts
