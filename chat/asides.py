"""What Parley itself puts below an answer, as parts: what the answer could not rest on, and where that is mended; where something is
connected. Pure."""

import re
from collections.abc import Iterator, Sequence

from chat.actions import Action
from chat.parts import FACTS_LIMIT, WORDS_LIMIT, Part, PartType
from chat.services.contexts import AnswerContext, Subject
from integrations.platforms import registry
from integrations.platforms.tools import connect_button

# What is looked for in an employee's record, as `What the AI is told` calls it.
RECORDED = {
    "personality": "traits",
    "behavior": "patterns",
    "strengths": "strengths",
    "areas to develop": "development_areas",
    "training needs": "training_needs",
    "compatibility": "compatibility",
    "performance": "performance",
}
_CONNECT = re.compile(r"\b(?:re)?connect\b", re.IGNORECASE)
MUCH = 3  # of these missing is worth saying


def beside(context: AnswerContext, *, unseen: Sequence[str]) -> list[Part]:
    """The images of the question that the model looked at, and those that it did not see (`unseen`, names); with the first answer, of whom
    much is not on record; the way to a platform that the question asks to connect (S1-28, 34)."""
    return [*_looked_at(context, unseen), *(() if context.history else _not_recorded(context)), *_to_connect(context.question.text)]


def _looked_at(context: AnswerContext, unseen: Sequence[str]) -> Iterator[Part]:
    if unseen:
        facts = [{"name": "Image", "value": name[:WORDS_LIMIT]} for name in unseen[:FACTS_LIMIT]]
        yield _part(PartType.CARD, {"title": "Not seen", "text": "The model was not shown what is on these images.", "facts": facts})
        return
    for image in context.question.attachments:
        if image.id in context.pictures:
            yield _part(PartType.IMAGE, {"name": image.name[:WORDS_LIMIT], "attachment_id": image.id})


def _not_recorded(context: AnswerContext) -> Iterator[Part]:
    thin = [(subject, missing) for subject in context.subjects if len(missing := _missing(subject)) >= MUCH]
    if not thin:
        return
    facts = [{"name": subject.name[:WORDS_LIMIT], "value": f"no {', '.join(missing)}"} for subject, missing in thin[:FACTS_LIMIT]]
    yield _part(PartType.CARD, {"title": "Not on record", "text": "The answer could not rest on this.", "facts": facts})
    one = {"argument": thin[0][0].id} if len(thin) == 1 else {}
    yield _part(PartType.BUTTON, {"label": "See what the AI is told", "action": Action.OPEN_CONTEXT.value, **one})


def _to_connect(question: str) -> Iterator[Part]:
    """The button leads to a page that asks once more, and only who may connect something can open it."""
    if _CONNECT.search(question):
        said = question.lower()
        yield from (connect_button(platform) for platform in registry.PLATFORMS.values() if platform.label.lower() in said)


def _missing(subject: Subject) -> list[str]:
    return [words for words, name in RECORDED.items() if not getattr(subject, name)]


def _part(type: PartType, value: Part) -> Part:
    return {"type": type.value, "value": value}
