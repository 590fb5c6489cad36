"""What every REST endpoint shares: one error shape, one way to declare an operation, strict input, paging.

An endpoint is a class that extends `Endpoint`, with a method per HTTP verb, each under `@operation(...)`. The declaration is
both what is checked and what `/api/schema/` says, so that the two cannot differ.
"""

import functools
import logging
import re
import sys
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import psycopg
import pymongo.errors
import redis.exceptions
from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.sessions.backends.db import SessionStore
from django.core import signing
from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.core.exceptions import ValidationError as DjangoValidationError
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import render
from django.urls import Resolver404, resolve
from django.utils.encoding import iri_to_uri
from django.views import defaults
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiResponse, extend_schema
from drf_standardized_errors.formatter import ExceptionFormatter
from drf_standardized_errors.handler import ExceptionHandler
from drf_standardized_errors.types import Error
from rest_framework import exceptions, serializers, status
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.permissions import BasePermission, IsAuthenticated
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config import json, mongo
from integrations import limits
from integrations.errors import LimitReached, NotAnswered
from tenants.errors import BadTenant, Forbidden, NotFound

if TYPE_CHECKING:
    from tenants.models import Membership

logger = logging.getLogger(__name__)

API_PREFIX = "/api/"
PAGE_DEFAULT = 50
PAGE_LIMIT = 100
CURSOR_LIMIT = 1_000  # characters
RETRY_AFTER = 2  # seconds; the stores' own time-outs are of this order

NON_FIELD = "non_field_errors"
NOTHING_HERE = "There is nothing at this address, or it is not yours to see."
STORE_AWAY = "A store is away at the moment. Send the request again in a few seconds; nothing was lost."

# What the drivers raise when a store cannot be reached, answers too late, or is on its way up or down.
AWAY = (
    *mongo.AWAY,
    pymongo.errors.ConnectionFailure,
    pymongo.errors.ExecutionTimeout,
    OperationalError,
    InterfaceError,
    psycopg.OperationalError,
    redis.exceptions.ConnectionError,
    redis.exceptions.TimeoutError,
    redis.exceptions.BusyLoadingError,
    redis.exceptions.ReadOnlyError,
    redis.exceptions.OutOfMemoryError,
    ConnectionError,
)

# Errors ----------------------------------------------------------------------------------------------------------------


class Refusal(exceptions.APIException):
    """A refusal whose status, code and sentence come from elsewhere; `wait` is in seconds and becomes `Retry-After`."""

    def __init__(self, status_code: int, *, code: str, sentence: str, wait: float | None = None, attr: str | None = None) -> None:
        super().__init__(sentence, code)
        self.status_code = status_code
        self.wait = None if wait is None else max(1, -int(-wait // 1))
        self.attr = attr


def store_is_away(error: BaseException) -> bool:
    """True if `error`, or what caused it, says that a store cannot be reached now."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, AWAY) or (isinstance(seen, pymongo.errors.PyMongoError) and seen.timeout):
            return True
        seen = seen.__cause__
    return False


def as_refusal(error: Exception) -> Exception:
    """The same fact in REST framework's terms; `error` itself where nothing is known of it."""
    if isinstance(error, exceptions.APIException):
        return error
    if isinstance(error, (NotFound, Http404)):
        return exceptions.NotFound(NOTHING_HERE)
    if isinstance(error, Forbidden):
        return exceptions.PermissionDenied(str(error))
    if isinstance(error, BadTenant):
        return exceptions.NotFound(NOTHING_HERE)
    if isinstance(error, RequestDataTooBig):
        return json.BodyTooLarge()
    if isinstance(error, SuspiciousOperation):
        return exceptions.ParseError("The request is malformed. Check its headers and address.")
    if isinstance(error, DjangoValidationError):
        return exceptions.ValidationError(serializers.as_serializer_error(error))
    if store_is_away(error):
        return Refusal(status.HTTP_503_SERVICE_UNAVAILABLE, code="store_away", sentence=STORE_AWAY, wait=RETRY_AFTER)
    http_status = getattr(error, "http_status", None)
    if not isinstance(http_status, int):
        return error
    # A domain error that knows its place: chat.services.errors and their like.
    code, sentence, field = getattr(error, "code", "refused"), str(error), getattr(error, "field", None)
    if http_status == status.HTTP_400_BAD_REQUEST:
        return exceptions.ValidationError({field or NON_FIELD: [exceptions.ErrorDetail(sentence, code)]})
    return Refusal(http_status, code=code, sentence=sentence, wait=getattr(error, "retry_after", None), attr=field)


class Formatter(ExceptionFormatter):
    """`{type, errors: [{code, detail, attr}]}`; a refusal may name the field it is about."""

    def get_errors(self) -> list[Error]:
        found = super().get_errors()
        if isinstance(self.exc, Refusal):
            return [Error(error.code, error.detail, self.exc.attr) for error in found]
        return [Error(error.code, error.detail, _field(error.attr)) for error in found]


def _field(attr: str | None) -> str | None:
    """The field an error is about: the whole body is none, and a group within it is its own name."""
    if attr is None or attr == NON_FIELD:
        return None
    return attr.removesuffix(f".{NON_FIELD}")


class Handler(ExceptionHandler):
    def convert_known_exceptions(self, exc: Exception) -> Exception:
        return super().convert_known_exceptions(as_refusal(exc))

    def should_not_handle(self, exc: Exception) -> bool:
        return False  # one shape in development too; the traceback is in the log

    def convert_unhandled_exceptions(self, exc: Exception) -> exceptions.APIException:
        if isinstance(exc, exceptions.APIException):
            return exc
        return exceptions.APIException("Something broke on our side; it is written in our log. Try again later.")

    def format_exception(self, exc: exceptions.APIException) -> dict[str, Any]:
        return Formatter(exc, self.context, self.exc).run()

    def report_exception(self, exc: exceptions.APIException, response: Response) -> None:
        if exc.status_code == status.HTTP_503_SERVICE_UNAVAILABLE:
            logger.warning("store_away: %s", self.exc)  # known, told to the client, and said by /readyz too
            return
        super().report_exception(exc, response)


def exception_handler(exc: Exception, context: Any) -> Response | None:
    response = Handler(exc, context).run()
    if isinstance(exc, LimitReached | NotAnswered) and response is not None:
        for name, value in exc.headers.items():
            response.headers[name] = value
    return response


def error_response(request: HttpRequest, error: Exception) -> HttpResponse:
    """The error shape for an error that met no endpoint: a middleware's, or a view's that is not REST framework's."""
    response = exception_handler(error, {"view": None, "args": (), "kwargs": {}, "request": Request(request)})
    assert response is not None
    answer = HttpResponse(json.dumps(response.data), status=response.status_code, content_type=json.Renderer.media_type)
    for name, value in response.headers.items():
        if name.lower() != "content-type":
            answer.headers[name] = value
    return answer


def is_api(request: HttpRequest) -> bool:
    return request.path.startswith(API_PREFIX)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Django's `handler400`."""
    if is_api(request):
        return error_response(request, exceptions.ParseError("The request is malformed. Check its headers and address."))
    return defaults.bad_request(request, exception)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Django's `handler403`."""
    if is_api(request):
        return error_response(request, exceptions.PermissionDenied())
    return defaults.permission_denied(request, exception)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Django's `handler404`."""
    if is_api(request):
        return error_response(request, exceptions.NotFound(NOTHING_HERE))
    return defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponseBase:
    """Django's `handler500`: a middleware's error, or a page's. A store that is away is no error of ours."""
    error = sys.exc_info()[1]
    if is_api(request):
        return error_response(request, error if isinstance(error, Exception) else exceptions.APIException())
    if error is not None and store_is_away(error):
        response = render(request, "503.html", status=status.HTTP_503_SERVICE_UNAVAILABLE)
        response.headers["Retry-After"] = str(RETRY_AFTER)
        return response
    return defaults.server_error(request)


# Input -----------------------------------------------------------------------------------------------------------------


class Strict(serializers.Serializer):
    """A body or a query string: a name it does not know is an error that names it."""

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, dict):
            raise serializers.ValidationError({NON_FIELD: ["Send one JSON object."]})
        unknown = [name for name in data if name not in self.fields]
        if unknown:
            known = ", ".join(sorted(self.fields)) or "none"
            raise serializers.ValidationError(
                {
                    name[:100]: exceptions.ErrorDetail(f"This name is not known here. Known: {known}.", code="unknown")
                    for name in unknown[:20]
                }
            )
        return super().to_internal_value(data)


class Nothing(Strict):
    """No fields at all."""


class Text(serializers.CharField):
    """A string, and only a string: numbers and objects are not made into one. Blanks at its ends are kept."""

    default_error_messages = {
        "invalid": "Send a string.",
        "blank": "Write something here.",
        "null_character": "Remove the zero character (U+0000); it cannot be stored.",
    }

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("trim_whitespace", False)
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        if "\x00" in data:
            self.fail("null_character")
        if not self.allow_blank and not data.strip():
            self.fail("blank")
        return super().to_internal_value(data)


class Word(serializers.ChoiceField):
    """One of a fixed list of words."""

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, str):
            self.fail("invalid_choice", input=type(data).__name__)
        return super().to_internal_value(data)


class Id(serializers.UUIDField):
    """A UUID in its canonical form, as a string; objects, integers and operators are refused. Gives the canonical string."""

    default_error_messages = {"invalid": "Send a UUID in its canonical form, such as 0190f5f0-0000-7000-8000-000000000000."}

    def to_internal_value(self, data: Any) -> str:  # type: ignore[override]
        try:
            found = str(uuid.UUID(data)) if isinstance(data, str) and len(data) == 36 else None
        except ValueError:
            found = None
        if found is None or found != data.lower():
            self.fail("invalid")
        return found


class Flag(serializers.BooleanField):
    """`true` or `false`; in a query string the same two words."""

    default_error_messages = {"invalid": "Send true or false."}

    def to_internal_value(self, data: Any) -> bool:
        in_query = isinstance(self.root.initial_data, Query.Values)
        if isinstance(data, bool):
            return data
        if in_query and data in {"true", "false"}:
            return data == "true"
        self.fail("invalid")


class Number(serializers.IntegerField):
    """A whole number in plain digits."""

    default_error_messages = {"invalid": "Send a whole number."}

    def to_internal_value(self, data: Any) -> int:
        in_query = isinstance(self.root.initial_data, Query.Values)
        if isinstance(data, int) and not isinstance(data, bool) and not in_query:
            return data
        if in_query and isinstance(data, str) and data.isascii() and data.isdigit() and len(data) <= 15:
            return int(data)
        self.fail("invalid")


class Query(Strict):
    """A query string. Each name at most once, so that nothing hides behind the last of two."""

    class Values(dict):
        """Query parameters by name, each once."""

    @classmethod
    def values(cls, given: QueryDict) -> "Query.Values":
        twice = [name for name, values in given.lists() if len(values) > 1]
        if twice:
            raise serializers.ValidationError(
                {name[:100]: exceptions.ErrorDetail("Give this parameter once.", code="repeated") for name in twice[:20]}
            )
        return cls.Values(given.items())


class NoQuery(Query):
    """No query parameters."""


class PageQuery(Query):
    """What every list takes."""

    cursor = Text(required=False, max_length=CURSOR_LIMIT, help_text="From `next` or `previous` of another page.")
    limit = Number(required=False, min_value=1, max_value=PAGE_LIMIT, default=PAGE_DEFAULT, help_text="Results on a page.")


# Paging ----------------------------------------------------------------------------------------------------------------


def seal(value: Any, *, name: str) -> str:
    """An opaque cursor of the list `name`, signed: only what we gave out comes back."""
    return signing.Signer(salt=f"cursor.{name}").sign_object(value, compress=True)


def unseal(cursor: str | None, *, name: str) -> Any:
    """What `seal` was given; None for no cursor. A cursor that is not ours is a 400."""
    if cursor is None:
        return None
    try:
        return signing.Signer(salt=f"cursor.{name}").unsign_object(cursor)
    except (signing.BadSignature, ValueError) as error:
        raise exceptions.ValidationError(
            {"cursor": exceptions.ErrorDetail("This cursor is not one of this list's. Start again without it.", code="bad_cursor")}
        ) from error


def address(request: Request, **changes: Any) -> str:
    """This request's own address with some query parameters changed; None removes one."""
    kept = {name: value for name, value in request.query_params.items() if name not in changes}
    kept |= {name: str(value) for name, value in changes.items() if value is not None}
    return iri_to_uri(request.build_absolute_uri(request.path) + (f"?{urlencode(kept)}" if kept else ""))


def page(request: Request, results: Sequence[Any], *, name: str, next: Any = None, previous: Any = None) -> dict[str, Any]:
    """`{next, previous, results}`; `next` and `previous` are what the list's own cursor says, or None at its ends."""
    return {
        "next": None if next is None else address(request, cursor=seal(next, name=name)),
        "previous": None if previous is None else address(request, cursor=seal(previous, name=name)),
        "results": results,
    }


# Documentation ---------------------------------------------------------------------------------------------------------


ERROR_TYPES = ["validation_error", "client_error", "server_error"]


class ErrorItem(serializers.Serializer):
    code = serializers.CharField(help_text="A word for programs.")
    detail = serializers.CharField(help_text="A sentence for people, saying what to do.")
    attr = serializers.CharField(allow_null=True, help_text="The field or parameter it is about.")


class ErrorAnswer(serializers.Serializer):
    """What every refusal looks like."""

    type = serializers.ChoiceField(choices=ERROR_TYPES)
    errors = ErrorItem(many=True)  # type: ignore[assignment]


def page_of(serializer: type[serializers.Serializer]) -> type[serializers.Serializer]:
    """The documented shape of a page of `serializer`."""
    name = f"{serializer.__name__}Page"
    fields = {
        "next": serializers.URLField(allow_null=True, help_text="Address of the page after this one."),
        "previous": serializers.URLField(allow_null=True, help_text="Address of the page before this one."),
        "results": serializer(many=True),
    }
    return type(name, (serializers.Serializer,), fields)


REFUSALS = {
    400: "The input is not what this operation takes; every error names its field.",
    401: "Nobody is signed in, or the key is not valid.",
    402: "A budget does not allow what this may cost; the sentence says which, and when it begins anew.",
    403: "Your role does not allow this.",
    404: "There is nothing here, or it is not yours to see.",
    405: "This address has no such method.",
    409: "The thing is in a state that does not allow this.",
    413: "The body is too large.",
    415: "The body is not of the media type that this operation takes.",
    422: "The same key was used before, with another body.",
    429: "A limit is reached; `Retry-After` says for how many seconds.",
    502: "The AI provider did not answer, or not as it should.",
    503: "A store is away; `Retry-After` says for how many seconds.",
    504: "The AI provider took too long.",
}
ALWAYS = (400, 401, 403, 404, 405, 429, 503)
WITH_BODY = (413, 415)


class Schema(AutoSchema):
    """Says in the schema what `Strict` enforces: no other names. A shape that answers is named for the thing itself."""

    def get_serializer_name(self, serializer: Any, direction: Any) -> str:
        return super().get_serializer_name(serializer, direction).replace("Answer", "")

    def _map_basic_serializer(self, serializer: Any, direction: Any) -> Any:
        found = super()._map_basic_serializer(serializer, direction)
        if direction == "request" and isinstance(serializer, Strict):
            found["additionalProperties"] = False
        return found


class ApiKeyScheme(OpenApiAuthenticationExtension):
    target_class = "tenants.authentication.ApiKeyAuthentication"
    name = "apiKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {"type": "http", "scheme": "bearer", "description": "An API key: `Authorization: Bearer <key>`."}


class SessionScheme(OpenApiAuthenticationExtension):
    target_class = "tenants.authentication.SessionAuthentication"
    name = "session"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {
            "type": "apiKey",
            "in": "cookie",
            "name": settings.SESSION_COOKIE_NAME,
            "description": "A signed-in browser. Unsafe methods carry `X-CSRFToken`; with several organizations, `X-Organization: <slug>`.",
        }


# Endpoints -------------------------------------------------------------------------------------------------------------


class FirstRenderer(BaseContentNegotiation):
    """An address has one representation; `Accept` cannot ask for another, nor can a query parameter."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        media_type = request.content_type.partition(";")[0].strip().lower()
        return next((parser for parser in parsers if parser.media_type == media_type), None)

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> tuple[BaseRenderer, str]:
        return renderers[0], renderers[0].media_type


class IsMember(BasePermission):
    """The request acts for an organization: its membership was found when it was authenticated."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        if getattr(request, "membership", None) is None:
            raise Refusal(
                status.HTTP_403_FORBIDDEN,
                code="no_organization",
                sentence="Say which of your organizations you act for: send the header `X-Organization: <slug>`.",
            )
        return True


class Endpoint(APIView):
    """One address. Its methods are declared with `@operation`."""

    schema = Schema()
    permission_classes = [IsAuthenticated, IsMember]
    content_negotiation_class = FirstRenderer
    metadata_class = None
    counts_itself: Sequence[str] = ()  # methods whose service takes the organization's limit together with its own
    limit_left: limits.Left | None = None

    @property
    def allowed_methods(self) -> list[str]:
        return [method for method in super().allowed_methods if method != "OPTIONS"]

    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Request:
        # REST framework takes a body without Content-Length (sent in chunks) for no body.
        if "CONTENT_LENGTH" not in request.META and request.META.get("HTTP_TRANSFER_ENCODING"):
            request.META["CONTENT_LENGTH"] = str(len(request.body))
        return super().initialize_request(request, *args, **kwargs)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """One call of the organization's to this address is taken (S2-41), once it is known who asks."""
        super().initial(request, *args, **kwargs)
        membership, match = getattr(request, "membership", None), request.resolver_match
        if membership is not None and match is not None and request.method not in self.counts_itself:
            self.limit_left = limits.take_now(membership.organization_id, match.url_name or "")

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        found = super().finalize_response(request, response, *args, **kwargs)
        if self.limit_left is not None:
            for name, value in self.limit_left.headers().items():
                found.headers[name] = value
        return found


@dataclass(frozen=True)
class Call:
    """One parsed request: who asks, for which membership, with which checked parameters and body."""

    request: Request
    membership: "Membership"
    query: dict[str, Any]
    body: dict[str, Any]


def operation(
    *,
    answer: Any,
    summary: str,
    status_code: int = 200,
    media_type: str = json.Renderer.media_type,
    also: Mapping[str, Any] | None = None,
    query: type[Query] = NoQuery,
    body: type[Strict] | None = None,
    free_body: Any = None,
    partly: int | None = None,
    refusals: Sequence[int] = (),
    tags: Sequence[str] = (),
) -> Callable[..., Any]:
    """Declares a method of an `Endpoint`: parses and checks the query and the body, calls the method, renders what it returns.

    The method gets a `Call` and the address's parts, and returns what `answer` documents (or a whole response, as streams do).
    A method without `body` takes an empty one or `{}`. `also` documents the answer in further media types;
    `free_body` a body that the method checks itself; `partly` the status of the same answer where a part was refused.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        has_body = function.__name__ in {"post", "put", "patch"}

        @functools.wraps(function)
        def run(view: Endpoint, request: Request, **parts: Any) -> Any:
            call = Call(
                request=request,
                membership=getattr(request, "membership", None),  # type: ignore[arg-type]  # `IsMember` saw that there is one
                query=_checked(query, query.values(request.query_params)),
                body=_checked(body or Nothing, request.data) if has_body and free_body is None else {},
            )
            found = function(view, call, **parts)
            if isinstance(found, HttpResponseBase):
                return found
            return Response(found, status=status_code)

        codes = sorted({*ALWAYS, *refusals, *(WITH_BODY if has_body else ())})
        documented = {code: OpenApiResponse(ErrorAnswer, REFUSALS[code]) for code in codes}
        return extend_schema(
            operation_id=_operation_id(function),
            summary=summary,
            description=function.__doc__ or summary,
            request=body if free_body is None else free_body,
            parameters=[query] if query is not NoQuery else [],
            responses={
                (status_code if answer is None else (status_code, media_type)): answer,
                **{(status_code, media): shape for media, shape in (also or {}).items()},
                **({} if partly is None else {(partly, media_type): answer}),
                **documented,
            },
            tags=list(tags) or None,
        )(run)

    return decorate


def _operation_id(function: Callable[..., Any]) -> str:
    """`get_conversations` for `Conversations.get`."""
    owner, _, method = function.__qualname__.rpartition(".")
    return f"{method}_" + re.sub(r"(?<=[a-z])(?=[A-Z])", "_", owner).lower()


def _checked(serializer: type[Strict], data: Any) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise exceptions.ValidationError({NON_FIELD: "Send one JSON object."})
    found = serializer(data=data)
    found.is_valid(raise_exception=True)
    return found.validated_data


def authenticated_again(request: Request) -> "Membership":
    """Who the same request would act for now: a key may be revoked since, a session ended, a membership changed. Causes queries.

    Raises what authentication raises, and `NotFound` where nobody is signed in any more.
    """
    fresh = HttpRequest()
    fresh.method, fresh.path, fresh.path_info = "GET", request.path, request.path_info
    fresh.META, fresh.COOKIES = request.META, request.COOKIES
    fresh.session = SessionStore(request.COOKIES.get(settings.SESSION_COOKIE_NAME))
    fresh.user = get_user(fresh)
    again = Request(fresh, authenticators=[authenticator() for authenticator in Endpoint.authentication_classes])
    if not again.user.is_authenticated or getattr(again, "membership", None) is None:
        raise NotFound
    return again.membership  # type: ignore[attr-defined]


class Unknown(Endpoint):
    """Any other address below the API. One that differs from a known one by a closing slash is served as that one."""

    authentication_classes: Sequence[Any] = ()
    permission_classes: Sequence[Any] = ()  # type: ignore[assignment]
    schema = None  # type: ignore[assignment]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        path = request.path_info
        if path.endswith("/"):
            try:
                found = resolve(path[:-1])
            except Resolver404:
                found = None
            if found is not None and getattr(found.func, "cls", None) not in {None, Unknown}:
                return found.func(request, *found.args, **found.kwargs)
        return super().dispatch(request, *args, **kwargs)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        raise exceptions.NotFound(NOTHING_HERE)
