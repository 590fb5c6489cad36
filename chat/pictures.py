"""Which images a model is shown with a question, and what each costs. Pure."""

from collections.abc import Iterable, Sequence
from math import ceil

from chat.records import AttachmentRecord, MessageRecord

SHOWN = 1_024  # pixels of the longer side, as `chat/inspection.py` makes it
MOST = 5  # images of one prompt
BUDGET = 3_000  # tokens for all of them
TILE = 512  # pixels; models look at an image in squares of this size
PER_IMAGE, PER_TILE = 85, 170  # tokens, about: what the common models count


def tokens(image: AttachmentRecord) -> int:
    """About how many tokens it costs, as it is shown."""
    width, height = image.width or 0, image.height or 0
    scale = min(1.0, SHOWN / max(width, height, 1))
    return PER_IMAGE + PER_TILE * ceil(width * scale / TILE) * ceil(height * scale / TILE)


def chosen(messages: Sequence[MessageRecord]) -> list[AttachmentRecord]:
    """The images of these messages, oldest first, that are shown: those of the newest message first, while there is room."""
    kept, room = list[AttachmentRecord](), BUDGET
    for image in _newest_first(messages):
        if len(kept) == MOST or (room := room - tokens(image)) < 0:
            break
        kept.append(image)
    return kept


def _newest_first(messages: Sequence[MessageRecord]) -> Iterable[AttachmentRecord]:
    return (image for message in reversed(messages) for image in message.attachments if image.is_image)
