"""Pages of one's own account that allauth does not bring."""

from typing import cast

from allauth.account.forms import ReauthenticateForm
from allauth.core import ratelimit
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST
from django.views.defaults import page_not_found

from tenants import access
from tenants.errors import OnlyOwner
from tenants.models import User
from tenants.services import accounts, erasure


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


@require_http_methods(["GET", "POST"])
@never_cache
@login_required
def erase_account(request: HttpRequest) -> HttpResponse:
    """Says what goes and what stays; with the password, it goes. Wrong passwords are limited as those of allauth's own pages are."""
    user = cast(User, request.user)
    form = ReauthenticateForm(request.POST or None, user=user)
    if request.method == "POST":
        if refused := ratelimit.consume_or_429(request, action="reauthenticate", user=user):
            return refused
        if form.is_valid():
            try:
                erasure.erase(user)
            except OnlyOwner as error:
                form.add_error(None, str(error))
            else:
                logout(request)
                messages.success(request, "Your account is deleted.")
                return redirect("account_login")
    return render(request, "account/erase.html", {"form": form}, status=400 if form.errors else 200)
