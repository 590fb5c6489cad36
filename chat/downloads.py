"""Files that are sent while they are made."""

import asyncio
from collections.abc import AsyncIterator

from django.http import StreamingHttpResponse
from django.utils.http import content_disposition_header

from chat.services.exports import File


class Download(StreamingHttpResponse):
    """A file as an attachment. A thread makes its next part, never the event loop."""

    def __init__(self, file: File) -> None:
        self._parts = file.parts
        super().__init__(file.parts, content_type=file.media_type)
        self.headers["Content-Disposition"] = content_disposition_header(True, file.name)
        self.headers["Cache-Control"] = "private, no-store"

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while (part := await asyncio.to_thread(next, self._parts, None)) is not None:
            yield part
