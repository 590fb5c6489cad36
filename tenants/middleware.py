"""Whose request it is: binds the organization of `/o/<slug>/`, guards `/admin/`, and says for the audit who acts."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from allauth.mfa.utils import is_mfa_enabled
from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.views.defaults import page_not_found
from structlog.contextvars import get_contextvars

from tenants import access, scoping
from tenants.models import Membership

ORGANIZATION_PATH = re.compile(r"^/o/(?P<slug>[^/]+)(?:/|$)")
ADMIN_PATH = re.compile(r"^/admin(?:/|$)")
CHANGING_METHODS = frozenset({"POST", "PUT", "PATCH", "DELETE"})


class MemberRequest(HttpRequest):
    """A request that went through `TenantMiddleware`."""

    membership: Membership | None


class TenantMiddleware:
    """Every request starts with nobody's rows in sight.

    - `/o/<slug>/…`: `request.membership` through `access.membership_for`, and row-level security acts for its organization. Nobody
      signed in is sent to sign in; a stranger gets 404.
    - `/admin/…`: staff act across organizations. Outside development they have a second factor first.
    - Elsewhere `request.membership` is None; the API's authentication binds what it finds (`scoping.act_for`).
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request: MemberRequest) -> Any:
        if iscoroutinefunction(self):
            return self.__acall__(request)
        with scoping.nobody():
            stopped = self.admit(request)
            if stopped is not None:
                return stopped
            with self.bound(request):
                return self.finish(request, self.get_response(request))

    async def __acall__(self, request: MemberRequest) -> HttpResponseBase:
        with scoping.nobody():
            stopped = await sync_to_async(self.admit)(request)
            if stopped is not None:
                return stopped
            with self.bound(request):
                return self.finish(request, await self.get_response(request))

    def admit(self, request: MemberRequest) -> HttpResponseBase | None:
        """Finds the membership, or answers in the view's place. Causes queries."""
        request.membership = None
        if found := ORGANIZATION_PATH.match(request.path_info):
            if not request.user.is_authenticated:
                return redirect_to_login(request.get_full_path())
            try:
                request.membership = access.membership_for(request.user, found["slug"])
            except access.NotFound as error:
                # Not raised: in development Django would show its own page in the place of ours.
                return page_not_found(request, error)
        elif ADMIN_PATH.match(request.path_info):
            return self.guard_admin(request)
        return None

    def guard_admin(self, request: MemberRequest) -> HttpResponseBase | None:
        """Staff without a second factor set one up first; admin itself turns everybody else away."""
        user = request.user
        if not (user.is_authenticated and user.is_staff and settings.MFA_REQUIRED_OF_STAFF) or is_mfa_enabled(user):
            return None
        messages.warning(request, "Staff need a second factor. Set up an authenticator app, then open the administration again.")
        return redirect("mfa_index")

    @contextmanager
    def bound(self, request: MemberRequest) -> Iterator[None]:
        with self.cause(request):
            if request.membership is not None:
                with scoping.tenant(request.membership.organization_id):
                    yield
            elif ADMIN_PATH.match(request.path_info) and self.is_staff(request):
                with scoping.across_tenants("staff in admin"):
                    yield
            else:
                yield

    @contextmanager
    def cause(self, request: MemberRequest) -> Iterator[None]:
        """What the audit says of changes made by this request."""
        if request.method not in CHANGING_METHODS:
            yield
            return
        # `request.user` was looked up by `admit`; elsewhere (API) authentication adds the user it finds.
        user_id = request.user.pk if request.path_info.startswith(("/o/", "/admin")) else None
        with scoping.because(user=user_id, url=request.path_info, method=request.method, request_id=get_contextvars().get("request_id")):
            yield

    def is_staff(self, request: MemberRequest) -> bool:
        return request.user.is_active and request.user.is_staff

    def finish(self, request: MemberRequest, response: HttpResponseBase) -> HttpResponseBase:
        if ADMIN_PATH.match(request.path_info):
            response._csp_replace = settings.ADMIN_CONTENT_SECURITY_POLICY  # type: ignore[attr-defined]  # read by django-csp
        return response

    def process_exception(self, request: MemberRequest, exception: Exception) -> None:
        """The door's refusals, in Django's terms."""
        if isinstance(exception, access.NotFound):
            raise Http404(str(exception)) from exception
        if isinstance(exception, access.Forbidden):
            raise PermissionDenied(str(exception)) from exception
