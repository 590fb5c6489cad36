"""An uploaded file in the body of a request: one, with the name it really came with."""

from functools import partial
from typing import Any

from django.http import HttpRequest, QueryDict
from django.http.multipartparser import MultiPartParser, MultiPartParserError
from django.utils.datastructures import MultiValueDict
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser, DataAndFiles

from chat.services import errors
from chat.services.attachments import FILE_LIMIT, checked_name

AROUND = 16 * 1024  # bytes of a body besides its file


class UploadParser(BaseParser):
    """For operations that take a file. The request was `prepare`d."""

    media_type = "multipart/form-data"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> DataAndFiles:
        request = parser_context["request"]._request
        return DataAndFiles(request.POST, request.FILES)


def prepare(request: HttpRequest) -> None:
    """Whoever reads the form of this request first (the check against forgery does), it is read by `_read`."""
    request.parse_file_upload = partial(_read, request)  # type: ignore[method-assign]


def _read(request: HttpRequest, environ: Any, body: Any) -> tuple[QueryDict, MultiValueDict]:
    if int(environ.get("CONTENT_LENGTH") or 0) > FILE_LIMIT + AROUND:
        raise errors.FileTooLarge(limit=FILE_LIMIT)
    try:
        fields, files = _Parser(environ, body, request.upload_handlers, request.encoding).parse()
    except MultiPartParserError as error:
        raise ParseError("The body is no form with a file. Check its boundary.") from error
    if any(len(values) > 1 or values == [""] for _, values in (*fields.lists(), *files.lists())):
        raise ParseError("Send one file in each request, each field once, and none that is empty.")
    return fields, files


class _Parser(MultiPartParser):
    def sanitize_file_name(self, file_name: str) -> str | None:
        """Django would keep what stands behind the last slash and drop what cannot be printed: here such a name is refused."""
        return checked_name(file_name)
