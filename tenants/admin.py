"""Staff manage organizations, people, permissions, keys and audit here. Sign-in is allauth's, so that the second factor counts."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from allauth.account.admin import EmailAddressAdmin as PlainEmailAddressAdmin
from allauth.account.decorators import secure_admin_login
from allauth.account.forms import ResetPasswordForm
from allauth.account.models import EmailAddress
from allauth.mfa.admin import AuthenticatorAdmin as PlainAuthenticatorAdmin
from allauth.mfa.models import Authenticator
from allauth.usersessions.admin import UserSessionAdmin as PlainUserSessionAdmin
from allauth.usersessions.models import UserSession
from django import forms
from django.contrib import admin, messages
from django.contrib.admin.views.autocomplete import AutocompleteJsonView
from django.contrib.auth.admin import GroupAdmin as PlainGroupAdmin
from django.contrib.auth.admin import UserAdmin as PlainUserAdmin
from django.contrib.auth.models import Group
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from import_export.admin import ImportExportMixin
from import_export.forms import ConfirmImportForm
from import_export.tmp_storages import CacheStorage
from unfold.admin import ModelAdmin, TabularInline
from unfold.contrib.filters.admin import AutocompleteSelectFilter, ChoicesDropdownFilter, RangeDateTimeFilter
from unfold.contrib.filters.forms import AutocompleteDropdownForm
from unfold.contrib.import_export.forms import ExportForm, ImportForm
from unfold.decorators import display
from unfold.forms import AdminPasswordChangeForm, PaginationInlineFormSet, UserChangeForm, UserCreationForm
from unfold.widgets import UnfoldAdminSelect2Widget, UnfoldBooleanWidget

from config import periods
from tenants import roles
from tenants.choices import EmploymentStatus, OrganizationStatus, PeopleChange
from tenants.errors import OnlyOwner
from tenants.models import (
    AccessRecord,
    ApiKey,
    Branch,
    Candidate,
    Department,
    Employee,
    Grant,
    Membership,
    Organization,
    Permission,
    PermissionDomain,
    RetentionPeriod,
    Subscription,
    User,
)
from tenants.resources import People, PeopleResource
from tenants.scoping import TenantModel
from tenants.services import accounts, audit, erasure, organizations, seats
from tenants.signals import announce_access_changed, announce_people_changed

admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]


class Autocomplete(AutocompleteJsonView):
    """Says of each row whose it is: every organization may have a branch “North”."""

    def serialize_result(self, obj: Model, to_field_name: str) -> dict[str, str]:
        found = super().serialize_result(obj, to_field_name)
        if isinstance(obj, TenantModel) and not isinstance(obj, Membership):
            found["text"] = f"{obj} · {obj.organization}"
        return found


admin.site.autocomplete_view = lambda request: Autocomplete.as_view(admin_site=admin.site)(request)  # type: ignore[method-assign, assignment, return-value]


class RowForm(AutocompleteDropdownForm):
    """unfold asks the model's `objects`, which raise for tenants' rows."""

    def __init__(self, *args: Any, name: str, field: Any, **kwargs: Any) -> None:
        super().__init__(*args, name=name, field=field, **kwargs)
        self.fields[name].queryset = field.remote_field.model._default_manager.all()


class RowFilter(AutocompleteSelectFilter):
    """Rows that point at a chosen one."""

    form_class = RowForm


class WordFilter(ChoicesDropdownFilter):
    """Rows with one of a field's words; PostgreSQL's enumerated types take no others."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        known = {value for value, _ in self.field.flatchoices}
        value = self.used_parameters.get(self.lookup_kwarg)
        asked = value if isinstance(value, list) else [value]
        if value not in (None, "", []) and not set(asked) <= known:
            return queryset.none()
        return super().queryset(request, queryset)


class NamedInlineFormSet(PaginationInlineFormSet):
    """Rows of a tenant have no reverse name, which Django would call the formset by."""

    @classmethod
    def get_default_prefix(cls) -> str:
        return cls.model._meta.model_name


class Inline(TabularInline):
    formset = NamedInlineFormSet
    extra = 0
    per_page = 20


class BaseAdmin(ModelAdmin):
    """What all of ours share: compact lists, and the history that the database itself kept."""

    list_per_page = 50
    show_full_result_count = False
    warn_unsaved_form = True
    list_filter_submit = True
    object_history_template: Any = "admin/tenants/object_history.html"

    def history_view(self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        obj = self.get_object(request, object_id)
        changes = audit.changes_of(obj) if obj is not None and hasattr(self.model, "pgh_event_model") else []
        return super().history_view(request, object_id, {**(extra_context or {}), "changes": changes})


class TenantAdmin(BaseAdmin):
    """Rows of organizations: found, filtered and labelled by organization."""

    list_select_related: Any = ("organization",)
    autocomplete_fields: Any = ("organization",)
    list_filter: Any = (("organization", RowFilter),)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("organization")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """A row stays with its organization."""
        fields = tuple(super().get_readonly_fields(request, obj))
        return (*fields, "organization") if obj is not None else fields


class ReadOnlyAdmin(BaseAdmin):
    """To look at, not to touch."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


# Organizations ---------------------------------------------------------------------------------------------------------


class SubscriptionInline(Inline):
    model = Subscription
    tab = True
    fields = ("plan", "status", "seats", "starts_at", "ends_at")


class RetentionPeriodInline(Inline):
    model = RetentionPeriod
    tab = True
    fields = ("kept", "days")
    verbose_name_plural = "shortened periods"

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "kept":
            choices = [(kept.name, f"{kept.sentence} {kept.days} days for everybody.") for kept in periods.TABLE]
            return forms.ChoiceField(choices=choices, label="What", widget=UnfoldAdminSelect2Widget)
        return super().formfield_for_dbfield(db_field, request, **kwargs)


class BranchInline(Inline):
    model = Branch
    tab = True
    fields = ("name", "location")
    show_change_link = True


def seats_wanted(membership_forms: Iterable[Any]) -> Counter[Any]:
    """Organization → how many seats more (or fewer, below 0) it takes to save these forms."""
    wanted: Counter[Any] = Counter()
    for form in membership_forms:
        if form.initial.get("is_active") and not form.instance._state.adding:
            wanted[form.initial.get("organization", form.instance.organization_id)] -= 1
        answers = {} if form.errors else getattr(form, "cleaned_data", {})
        if answers.get("is_active") and not answers.get("DELETE"):
            wanted[answers["organization"].pk if answers.get("organization") else form.instance.organization_id] += 1
    return wanted


def take_seats(membership_forms: Iterable[Any]) -> None:
    """Raises `NoSeatLeft` where an organization has too few; the request's transaction holds them until it is saved."""
    for organization_id, more in seats_wanted(membership_forms).items():
        if more > 0:
            seats.take(organization_id, wanted=more)


def announce_managed(membership: Membership) -> None:
    announce_people_changed(PeopleChange.USER_MANAGED, organization_id=membership.organization_id, target_id=membership.user_id)


def announce_set_up(department: Department) -> None:
    announce_people_changed(PeopleChange.DEPARTMENT_SETUP, organization_id=department.organization_id, target_id=department.pk)


class MembershipForm(forms.ModelForm):
    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        take_seats([self])
        return cleaned


class MembershipFormSet(NamedInlineFormSet):
    """Counts its rows together: two people do not share the last seat."""

    def clean(self) -> None:
        super().clean()
        take_seats(self.forms)


class MembershipInline(Inline):
    model = Membership
    formset = MembershipFormSet
    tab = True
    fields = ("user", "role", "branch", "department", "is_active")
    autocomplete_fields = ("user", "branch", "department")
    show_change_link = True


@admin.register(Organization)
class OrganizationAdmin(BaseAdmin):
    list_display = ("name", "slug", "shown_status", "shown_seats", "created_at")
    list_filter = (("status", WordFilter), ("created_at", RangeDateTimeFilter))
    search_fields = ("name", "slug")
    prepopulated_fields = {"slug": ("name",)}
    readonly_fields = ("seats_in_words", "suspended_at", "created_at", "updated_at")
    inlines = (SubscriptionInline, BranchInline, MembershipInline, RetentionPeriodInline)
    actions = ("suspend", "reinstate")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Organization]:
        return super().get_queryset(request).with_seats(now=timezone.now())

    @display(description="Seats taken", label={"free": "success", "full": "warning", "none": "danger"})
    def shown_seats(self, organization: Organization) -> tuple[str, str]:
        booked, taken = getattr(organization, "seats", None), getattr(organization, "seats_taken", 0)
        if booked is None:
            return "none", f"{taken}, without a subscription that runs"
        return ("free" if taken < booked else "full"), f"{taken} of {booked}"

    @display(description="Seats taken")
    def seats_in_words(self, organization: Organization) -> str:
        """A form shows no labels."""
        return self.shown_seats(organization)[1]

    @display(description="Status", ordering="status", label={"active": "success", "suspended": "danger"})
    def shown_status(self, organization: Organization) -> tuple[str, str]:
        return organization.status, organization.get_status_display()

    @admin.action(description="Suspend: nobody of them gets in, and who is in is signed out")
    def suspend(self, request: HttpRequest, queryset: QuerySet[Organization]) -> None:
        people = sum(organizations.suspend(organization) for organization in queryset)
        self.message_user(request, f"Suspended. {people} people were signed out.", messages.WARNING)

    @admin.action(description="Reinstate: their people may sign in again")
    def reinstate(self, request: HttpRequest, queryset: QuerySet[Organization]) -> None:
        for organization in queryset:
            organizations.reinstate(organization)
        self.message_user(request, "Reinstated.", messages.SUCCESS)

    def save_model(self, request: HttpRequest, obj: Organization, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if change and "status" in form.changed_data:
            if obj.status == OrganizationStatus.SUSPENDED:
                organizations.expel(obj)
                Organization.objects.filter(pk=obj.pk).update(suspended_at=timezone.now())
            else:
                organizations.reinstate(obj)

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        super().save_formset(request, form, formset, change)
        if formset.model is Membership:
            changed = [membership for membership, _ in formset.changed_objects]
            for membership in (*changed, *formset.deleted_objects):
                announce_access_changed(user_id=membership.user_id, organization_id=membership.organization_id)
            for membership in (*formset.new_objects, *changed, *formset.deleted_objects):
                announce_managed(membership)


@admin.register(Subscription)
class SubscriptionAdmin(TenantAdmin):
    list_display = ("organization", "plan", "status", "seats", "starts_at", "ends_at")
    list_filter = (*TenantAdmin.list_filter, ("plan", WordFilter), ("status", WordFilter))
    search_fields = ("organization__name", "organization__slug")


class DepartmentInline(Inline):
    model = Department
    fields = ("name",)
    show_change_link = True


@admin.register(Branch)
class BranchAdmin(TenantAdmin):
    list_display = ("name", "location", "organization")
    search_fields = ("name", "location", "organization__name")
    inlines = (DepartmentInline,)

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        """A department made in its branch's page belongs to the branch's organization."""
        for department in formset.save(commit=False):
            department.organization_id = form.instance.organization_id
        formset.save()
        for department in formset.new_objects:
            announce_set_up(department)


@admin.register(Department)
class DepartmentAdmin(TenantAdmin):
    list_display = ("name", "branch", "organization")
    list_select_related = ("organization", "branch")
    list_filter = (*TenantAdmin.list_filter, ("branch", RowFilter))
    search_fields = ("name", "branch__name", "organization__name")
    autocomplete_fields = ("organization", "branch")

    def save_model(self, request: HttpRequest, obj: Department, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if not change:
            announce_set_up(obj)


# People ----------------------------------------------------------------------------------------------------------------


class NewUserForm(UserCreationForm):
    class Meta:
        model = User
        fields = ("email", "first_name", "last_name", "account_type_informal", "current_account_status")


class UserForm(UserChangeForm):
    class Meta:
        model = User
        fields = "__all__"
        field_classes: dict[str, Any] = {}


class UserPlacesInline(Inline):
    model = Membership
    formset = MembershipFormSet
    tab = True
    fields = ("organization", "role", "branch", "department", "is_active")
    autocomplete_fields = ("organization", "branch", "department")
    show_change_link = True


@admin.register(User)
class UserAdmin(PlainUserAdmin, BaseAdmin):  # type: ignore[misc]
    form = UserForm
    add_form = NewUserForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("email", "name", "shown_type", "shown_status", "is_email_verified", "last_login")
    list_filter = (
        ("account_type_informal", WordFilter),
        ("current_account_status", WordFilter),
        "is_email_verified",
        "is_superuser",
        ("last_login", RangeDateTimeFilter),
    )
    search_fields = ("email", "first_name", "last_name", "display_name", "username")
    ordering = ("email",)
    readonly_fields = ("last_login", "last_seen_at", "current_status", "created_at", "updated_at", "deleted_at", "erased_at")
    inlines = (UserPlacesInline,)
    actions = ("send_password_link", "sign_out", "suspend", "reinstate", "erase")
    fieldsets = (
        (None, {"fields": ("email", "username", "password")}),
        ("Person", {"fields": ("first_name", "last_name", "display_name", "avatar_url")}),
        ("Account", {"fields": ("account_type_informal", "current_account_status", "is_email_verified")}),
        ("Rights in this administration", {"classes": ("tab",), "fields": ("is_superuser", "groups", "user_permissions")}),
        ("Chat", {"classes": ("tab",), "fields": ("chat_preferences", "current_status", "last_seen_at")}),
        ("Times", {"classes": ("tab",), "fields": ("last_login", "created_at", "updated_at", "deleted_at", "erased_at")}),
    )
    add_fieldsets = (
        (None, {"fields": ("email", "first_name", "last_name", "account_type_informal", "current_account_status")}),
        ("Password", {"fields": ("usable_password", "password1", "password2")}),
    )

    @display(description="Type", ordering="account_type_informal", label={"staff": "warning", "robot": "info"})
    def shown_type(self, user: User) -> tuple[str, str]:
        return user.account_type_informal, user.get_account_type_informal_display()

    @display(
        description="Status",
        ordering="current_account_status",
        label={"active": "success", "pending-verification": "info", "suspended": "danger", "deactivated": "danger"},
    )
    def shown_status(self, user: User) -> tuple[str, str]:
        return user.current_account_status, user.get_current_account_status_display()

    @admin.action(description="Send a link to choose a password")
    def send_password_link(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        sent = 0
        for user in queryset:
            form = ResetPasswordForm({"email": user.email})
            if user.is_active and form.is_valid():
                form.save(request)
                sent += 1
        self.message_user(request, f"{sent} links sent.", messages.SUCCESS)

    @admin.action(description="Sign out everywhere")
    def sign_out(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        for user in queryset:
            accounts.sign_out(user)
        self.message_user(request, "Signed out.", messages.SUCCESS)

    @admin.action(description="Suspend and sign out")
    def suspend(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        for user in queryset.exclude(pk=str(request.user.pk)):
            accounts.suspend(user)
        self.message_user(request, "Suspended. Your own account was left as it is.", messages.WARNING)

    @admin.action(description="Reinstate")
    def reinstate(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        for user in queryset:
            accounts.reinstate(user)
        self.message_user(request, "Reinstated.", messages.SUCCESS)

    @admin.action(description="Erase for good, after a look at what goes", permissions=["change"])
    def erase(self, request: HttpRequest, queryset: QuerySet[User]) -> HttpResponse | None:
        people = queryset.filter(deleted_at=None).exclude(pk=str(request.user.pk))
        if "confirmed" not in request.POST:
            context = {**self.admin_site.each_context(request), "title": "Erase for good", "opts": self.opts, "people": people}
            return TemplateResponse(request, "admin/tenants/user_erase.html", context)
        erased = 0
        for user in people:
            name = str(user)
            try:
                erasure.erase(user)
                erased += 1
            except OnlyOwner as error:
                self.message_user(request, f"{name} was left as they are: {error}", messages.ERROR)
        self.message_user(request, f"Erased: {erased}. Their conversations follow within minutes.", messages.WARNING)
        return None

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return (obj is None or obj.deleted_at is None) and super().has_change_permission(request, obj)  # a shell stays empty

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return False  # that would leave their conversations behind: they are erased

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if not change or {"email", "is_email_verified"} & set(form.changed_data):
            accounts.align_email_address(obj)
        if change and ("current_account_status" in form.changed_data and not obj.is_active):
            accounts.sign_out(obj)
        elif change and "account_type_informal" in form.changed_data:
            announce_access_changed(user_id=obj.pk)

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:
        response = super().user_change_password(request, id, form_url)
        if request.method == "POST" and response.status_code == 302:
            announce_access_changed(user_id=id)
        return response

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        super().save_formset(request, form, formset, change)
        if formset.model is Membership:
            changed = [membership for membership, _ in formset.changed_objects]
            for membership in (*changed, *formset.deleted_objects):
                announce_access_changed(user_id=membership.user_id, organization_id=membership.organization_id)
            for membership in (*formset.new_objects, *changed, *formset.deleted_objects):
                announce_managed(membership)


@admin.register(Membership)
class MembershipAdmin(TenantAdmin):
    form = MembershipForm
    list_display = ("user", "organization", "role", "branch", "department", "is_active")
    list_select_related = ("organization", "user", "branch", "department")
    list_filter = (*TenantAdmin.list_filter, ("role", WordFilter), "is_active", ("branch", RowFilter))
    search_fields = ("user__email", "user__first_name", "user__last_name", "organization__name", "organization__slug")
    autocomplete_fields = ("organization", "user", "branch", "department")

    def save_model(self, request: HttpRequest, obj: Membership, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if form.changed_data:
            announce_managed(obj)
        if change and form.changed_data:
            announce_access_changed(user_id=obj.user_id, organization_id=obj.organization_id)

    def delete_model(self, request: HttpRequest, obj: Membership) -> None:
        announce_access_changed(user_id=obj.user_id, organization_id=obj.organization_id)
        announce_managed(obj)
        super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Membership]) -> None:
        for membership in queryset:
            announce_access_changed(user_id=membership.user_id, organization_id=membership.organization_id)
            announce_managed(membership)
        super().delete_queryset(request, queryset)


class PeopleImportForm(ImportForm):
    """Whose people the file holds, besides the file."""

    organization = forms.ModelChoiceField(
        Organization.objects.all(), widget=UnfoldAdminSelect2Widget(), help_text="Every row becomes an employee of this organization."
    )
    create_places = forms.BooleanField(
        label="Make what is missing",
        required=False,
        widget=UnfoldBooleanWidget(),
        help_text="Make branches and departments that the file names and that do not exist yet.",
    )


class PeopleConfirmForm(ConfirmImportForm):
    organization = forms.ModelChoiceField(Organization.objects.all(), widget=forms.HiddenInput())
    create_places = forms.BooleanField(required=False, widget=forms.HiddenInput())


@admin.register(Employee)
class EmployeeAdmin(ImportExportMixin, TenantAdmin):
    list_display = ("name", "job_title", "branch", "department", "organization", "shown_status")
    list_select_related = ("organization", "branch", "department")
    list_filter = (
        *TenantAdmin.list_filter,
        ("branch", RowFilter),
        ("department", RowFilter),
        ("status", WordFilter),
    )
    search_fields = ("first_name", "last_name", "email", "number", "job_title", "organization__name")
    autocomplete_fields = ("organization", "user", "branch", "department", "reports_to")
    fieldsets = (
        (None, {"fields": ("organization", ("first_name", "last_name"), ("email", "number"), "user")}),
        ("Work", {"fields": ("job_title", ("branch", "department"), "reports_to", ("status", "hired_on"))}),
        ("Personality", {"classes": ("tab",), "fields": ("personality_traits", "behavioral_patterns")}),
        (
            "Compatibility",
            {
                "classes": ("tab",),
                "fields": ("compatibility_job_role", "compatibility_department", "compatibility_company", "compatibility_industry"),
            },
        ),
        (
            "Performance",
            {"classes": ("tab",), "fields": ("performance_indicators", "strengths", "development_areas", "training_needs")},
        ),
        (
            "Astrology",
            {"classes": ("tab",), "fields": ("sun_sign", "moon_sign", "rising_sign", "harmonic_code", "last_harmonic_update")},
        ),
    )

    resource_classes = [PeopleResource]
    import_form_class = PeopleImportForm
    confirm_form_class = PeopleConfirmForm
    export_form_class = ExportForm
    # Where several web processes share the work, the confirmed file may reach another one than the uploaded file did.
    tmp_storage_class = CacheStorage

    def save_model(self, request: HttpRequest, obj: Employee, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        what = PeopleChange.EMPLOYEE_UPDATED if change else PeopleChange.EMPLOYEE_ADDED
        announce_people_changed(what, organization_id=obj.organization_id, target_id=obj.pk)

    @display(description="Name", ordering="last_name")
    def name(self, employee: Employee) -> str:
        return employee.name

    @display(
        description="Status",
        ordering="status",
        label={EmploymentStatus.ACTIVE: "success", EmploymentStatus.ON_LEAVE: "info", EmploymentStatus.LEFT: "danger"},
    )
    def shown_status(self, employee: Employee) -> tuple[str, str]:
        return employee.status, employee.get_status_display()

    def get_import_formats(self) -> list[Any]:
        return [People]

    def get_export_formats(self) -> list[Any]:
        return [People]

    def has_import_permission(self, request: HttpRequest) -> bool:
        return self.has_add_permission(request) and self.has_change_permission(request)

    def has_export_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def get_import_resource_kwargs(self, request: HttpRequest, **kwargs: Any) -> dict[str, Any]:
        found = super().get_import_resource_kwargs(request, **kwargs)
        answers = getattr(kwargs.get("form"), "cleaned_data", None) or {}
        return {**found, "organization": answers.get("organization"), "create_places": answers.get("create_places", False)}

    def get_confirm_form_initial(self, request: HttpRequest, import_form: Any) -> dict[str, Any]:
        initial = super().get_confirm_form_initial(request, import_form)
        if import_form is not None:
            answers = import_form.cleaned_data
            initial |= {"organization": answers["organization"].pk, "create_places": answers["create_places"]}
        return initial


@admin.register(Candidate)
class CandidateAdmin(TenantAdmin):
    list_display = ("__str__", "stage", "branch", "department", "organization", "created_at")
    list_select_related = ("organization", "branch", "department")
    list_filter = (*TenantAdmin.list_filter, ("stage", WordFilter), ("branch", RowFilter))
    search_fields = ("first_name", "last_name", "email", "position", "organization__name")
    autocomplete_fields = ("organization", "branch", "department", "employee")


# What each may do ------------------------------------------------------------------------------------------------------


class GrantInline(Inline):
    model = Grant
    fields = ("role",)


class ForgetsGrants(BaseAdmin):
    """A change acts at once in this process; others read the grants anew within two seconds."""

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        roles.forget()

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        super().delete_model(request, obj)
        roles.forget()

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        super().delete_queryset(request, queryset)
        roles.forget()


@admin.register(PermissionDomain)
class PermissionDomainAdmin(BaseAdmin):
    list_display = ("permission_prefix", "description")
    search_fields = ("permission_prefix", "description")


@admin.register(Permission)
class PermissionAdmin(ForgetsGrants):
    list_display = ("code", "description", "granted_to")
    list_filter = ("domain",)
    search_fields = ("code", "description")
    autocomplete_fields = ("domain",)
    inlines = (GrantInline,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Permission]:
        return super().get_queryset(request).prefetch_related("grants")

    @display(description="Granted to")
    def granted_to(self, permission: Permission) -> str:
        return ", ".join(sorted(grant.role for grant in permission.grants.all())) or "–"


@admin.register(Grant)
class GrantAdmin(ForgetsGrants):
    list_display = ("permission", "role", "created_at")
    list_select_related = ("permission",)
    list_filter = (("role", WordFilter), "permission__domain")
    search_fields = ("permission__code", "permission__description", "role")
    autocomplete_fields = ("permission",)


@admin.register(ApiKey)
class ApiKeyAdmin(TenantAdmin):
    list_display = ("name", "shown_prefix", "membership", "shown_state", "last_used_at", "expires_at", "created_at")
    list_select_related = ("organization", "membership__user", "membership__organization")
    list_filter = (*TenantAdmin.list_filter, ("last_used_at", RangeDateTimeFilter))
    search_fields = ("name", "prefix", "membership__user__email", "organization__name")
    autocomplete_fields = ("membership",)
    fields = ("membership", "name", "expires_at", "prefix", "created_at", "last_used_at", "revoked_at")
    readonly_fields = ("prefix", "created_at", "last_used_at", "revoked_at")
    actions = ("revoke",)

    def get_readonly_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> tuple[str, ...]:
        return self.readonly_fields if obj is None else (*self.readonly_fields, "membership")

    def get_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> tuple[str, ...]:
        return ("membership", "name", "expires_at") if obj is None else self.fields

    @display(description="Begins with")
    def shown_prefix(self, api_key: ApiKey) -> str:
        return f"{api_key.prefix}…"

    @display(description="State", label={"usable": "success", "revoked": "danger", "expired": "warning"})
    def shown_state(self, api_key: ApiKey) -> tuple[str, str]:
        if api_key.revoked_at is not None:
            return "revoked", "Revoked"
        return ("usable", "Usable") if api_key.is_usable(now=timezone.now()) else ("expired", "Expired")

    @admin.action(description="Revoke: the keys stop working now")
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        for api_key in queryset.select_related("membership"):
            accounts.revoke_api_key(api_key)
        self.message_user(request, "Revoked.", messages.WARNING)

    def has_delete_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        return False  # a revoked key stays, so that the audit can name it

    def save_model(self, request: HttpRequest, obj: ApiKey, form: Any, change: bool) -> None:
        if change:
            obj.save(update_fields=["name", "expires_at"])
            return
        made, key = accounts.create_api_key(obj.membership, name=obj.name, expires_at=obj.expires_at)
        obj.__dict__.update(made.__dict__)
        obj.shown_once = key  # type: ignore[attr-defined]  # for `response_add`

    def response_add(self, request: HttpRequest, obj: ApiKey, post_url_continue: str | None = None) -> HttpResponse:
        """Shows the key, this once; it is in no message, log or database."""
        context = {**self.admin_site.each_context(request), "title": "API key made", "opts": self.opts, "api_key": obj}
        context["key"] = obj.shown_once  # type: ignore[attr-defined]
        response = TemplateResponse(request, "admin/tenants/apikey_made.html", context)
        response["Cache-Control"] = "no-store"
        return response


# Who looked at what ----------------------------------------------------------------------------------------------------


@admin.register(AccessRecord)
class AccessRecordAdmin(ReadOnlyAdmin):
    list_display = ("created_at", "user", "kind", "owner", "conversation_id", "organization", "reason")
    list_select_related = ("organization", "user", "owner")
    list_filter = (
        ("organization", RowFilter),
        ("user", RowFilter),
        ("kind", WordFilter),
        ("created_at", RangeDateTimeFilter),
    )
    search_fields = ("user__email", "owner__email", "conversation_id", "reason")


# Other apps' tables, in the same dress --------------------------------------------------------------------------------

for model in (EmailAddress, Authenticator, UserSession, Group):
    admin.site.unregister(model)


@admin.register(EmailAddress)
class EmailAddressAdmin(PlainEmailAddressAdmin, BaseAdmin):
    autocomplete_fields = ("user",)
    raw_id_fields = ()
    list_select_related = ("user",)


@admin.register(Authenticator)
class AuthenticatorAdmin(PlainAuthenticatorAdmin, BaseAdmin):
    """Removing one lets its owner sign in without it: for people who lost their telephone."""

    fields = ("user", "type", "created_at", "last_used_at")
    readonly_fields = ("user", "type", "created_at", "last_used_at")
    raw_id_fields = ()
    search_fields = ("user__email",)
    list_select_related = ("user",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(UserSession)
class UserSessionAdmin(PlainUserSessionAdmin, BaseAdmin):
    """Deleting one signs that browser out."""

    fields = ("user", "ip", "user_agent", "created_at", "last_seen_at")
    readonly_fields = fields
    raw_id_fields = ()
    search_fields = ("user__email", "ip")
    list_select_related = ("user",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def delete_model(self, request: HttpRequest, obj: UserSession) -> None:
        obj.end()
        announce_access_changed(user_id=obj.user_id)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[UserSession]) -> None:
        for session in queryset:
            self.delete_model(request, session)


@admin.register(Group)
class GroupAdmin(PlainGroupAdmin, BaseAdmin):  # type: ignore[misc]
    pass
