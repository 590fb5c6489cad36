from django.contrib import admin
from django.templatetags.static import static
from django.urls import include, path
from django.utils.functional import lazy
from django.views.generic import RedirectView

from chat import connections
from config import health
from config.api_docs import DocsView, SchemaView
from tenants import views as tenants

admin.autodiscover()

urlpatterns = [
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", health.metrics, name="metrics"),
    # What browsers ask for where a page names no icon: the API's answers, the administration.
    path("favicon.ico", RedirectView.as_view(url=lazy(static, str)("tenants/favicon.ico")), name="favicon"),
    path("admin/", admin.site.urls),
    path("accounts/sessions/<int:sign_in>/end/", tenants.end_sign_in, name="end_sign_in"),
    path("accounts/delete/", tenants.erase_account, name="erase_account"),
    # Registered with the platforms, so it names no organization.
    path("connections/<slug:platform>/callback/", connections.callback, name="connections_callback"),
    path("accounts/", include("allauth.urls")),
    path("api/schema/", SchemaView.as_view(), name="api-schema"),
    path("api/docs/", DocsView.as_view(), name="api-docs"),
    path("api/v1/", include("config.api_urls")),
    path("", include("chat.urls")),
    path("", include("dashboards.urls")),
]

handler400 = "config.api.bad_request"
handler403 = "config.api.permission_denied"
handler404 = "config.api.not_found"
handler500 = "config.api.server_error"
