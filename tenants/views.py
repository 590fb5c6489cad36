"""Pages of one's own account that allauth does not bring."""

from typing import cast

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST
from django.views.defaults import page_not_found

from tenants import access
from tenants.models import User
from tenants.services import accounts


@require_POST
@login_required
def end_sign_in(request: HttpRequest, sign_in: int) -> HttpResponse:
    """Signs one of the person's browsers out: perhaps this one, and then the way leads to the sign-in page."""
    try:
        accounts.end_sign_in(cast(User, request.user), sign_in_id=sign_in)
    except access.NotFound as error:
        return page_not_found(request, error)
    messages.success(request, "Signed out there.")
    return redirect("usersessions_list")
