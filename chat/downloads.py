"""Files that are sent while they are made."""

import asyncio
from collections.abc import AsyncIterator

from django.http import HttpResponse, StreamingHttpResponse
from django.utils.http import content_disposition_header

from chat.services.attachments import THUMBNAIL_TYPE
from chat.services.exports import File

# Should a browser show a file as a page all the same: nothing to load, nothing to run.
SANDBOX = "default-src 'none'; frame-ancestors 'none'; sandbox"


class Download(StreamingHttpResponse):
    """A file as an attachment. A thread makes its next part, never the event loop."""

    def __init__(self, file: File) -> None:
        self._parts = file.parts
        super().__init__(file.parts, content_type=file.media_type)
        self.headers["Content-Disposition"] = content_disposition_header(True, file.name)
        self.headers["Cache-Control"] = "private, no-store"
        self.headers["Content-Security-Policy"] = SANDBOX
        self.headers["X-Content-Type-Options"] = "nosniff"

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while (part := await asyncio.to_thread(next, self._parts, None)) is not None:
            yield part


class Picture(HttpResponse):
    """A thumbnail that we made ourselves, to be shown on a page."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data, content_type=THUMBNAIL_TYPE)
        self.headers["Cache-Control"] = "private, max-age=3600"
        self.headers["Content-Security-Policy"] = SANDBOX
        self.headers["X-Content-Type-Options"] = "nosniff"
