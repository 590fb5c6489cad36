"""What `me`, employees, branches and departments take and give. The answers' serializers only document: selectors make the dicts."""

from typing import Any

from django.core.validators import EmailValidator
from rest_framework import serializers

from config.api import Id, PageQuery, Strict, Text, Word
from tenants.choices import AccountType, EmploymentStatus, Role, ZodiacSign

NAME_LIMIT = 150
WORDS_LIMIT = 50


class Words(serializers.ListField):
    """A short list of short texts."""

    def __init__(self, **kwargs) -> None:
        super().__init__(child=Text(max_length=200, allow_blank=False), max_length=WORDS_LIMIT, **kwargs)


class Score(serializers.DecimalField):
    """0 to 100 with two digits, as a string."""

    def __init__(self, **kwargs) -> None:
        super().__init__(max_digits=5, decimal_places=2, min_value=0, max_value=100, **kwargs)


class Figure(serializers.FloatField):
    """A number, and only a number."""

    default_error_messages = {"invalid": "Send a number."}

    def to_internal_value(self, data: Any) -> float:
        if not isinstance(data, (int, float)) or isinstance(data, bool) or not -1e15 < data < 1e15:
            self.fail("invalid")
        return data


class Figures(serializers.DictField):
    """Names and figures."""

    def __init__(self, **kwargs) -> None:
        super().__init__(child=Figure(), **kwargs)

    def to_internal_value(self, data: Any) -> Any:
        found = super().to_internal_value(data)
        if len(found) > WORDS_LIMIT or any(not 0 < len(name.strip()) <= 100 or "\x00" in name for name in found):
            raise serializers.ValidationError(f"Send at most {WORDS_LIMIT} figures, each with a name of up to 100 characters.")
        return found


class Day(serializers.DateField):
    """A day, as YYYY-MM-DD."""

    default_error_messages = {"invalid": "Send a day as YYYY-MM-DD."}

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, str) or len(data) != 10:
            self.fail("invalid")
        return super().to_internal_value(data)


# Input -----------------------------------------------------------------------------------------------------------------


class EmployeesQuery(PageQuery):
    q = Text(
        required=False, allow_blank=True, max_length=200, help_text="Words of a name, an email, a number or a job title; all must match."
    )
    branch = Id(required=False)
    department = Id(required=False)
    status = Word(required=False, choices=EmploymentStatus.choices)


class BranchesQuery(PageQuery):
    q = Text(required=False, allow_blank=True, max_length=200, help_text="Words of the name or the location; all must match.")


class DepartmentsQuery(PageQuery):
    q = Text(required=False, allow_blank=True, max_length=200, help_text="Words of the name; all must match.")
    branch = Id(required=False)


class Email(Text):
    """An email address, or an empty string."""

    def __init__(self, **kwargs) -> None:
        super().__init__(max_length=254, allow_blank=True, validators=[EmailValidator("Send an email address.")], **kwargs)


class CompatibilityBody(Strict):
    job_role = Score(required=False, allow_null=True)
    department = Score(required=False, allow_null=True)
    company = Score(required=False, allow_null=True)
    industry = Score(required=False, allow_null=True)


class AstrologyBody(Strict):
    sun_sign = Word(required=False, allow_null=True, choices=ZodiacSign.choices)
    moon_sign = Word(required=False, allow_null=True, choices=ZodiacSign.choices)
    rising_sign = Word(required=False, allow_null=True, choices=ZodiacSign.choices)
    harmonic_code = Text(required=False, allow_null=True, max_length=50)


class PerformanceBody(Strict):
    indicators = Figures(required=False)
    training_needs = Words(required=False)
    strengths = Words(required=False)
    development_areas = Words(required=False)


class EmployeeChange(Strict):
    """What is left out stays as it is. The three groups have the same names as in the answer."""

    first_name = Text(required=False, max_length=NAME_LIMIT)
    last_name = Text(required=False, max_length=NAME_LIMIT)
    number = Text(required=False, max_length=50, allow_blank=True, help_text="The organization's own number for them.")
    email = Email(required=False)
    job_title = Text(required=False, max_length=200, allow_blank=True)
    branch = Id(required=False, allow_null=True)
    department = Id(required=False, allow_null=True)
    reports_to = Id(required=False, allow_null=True)
    status = Word(required=False, choices=EmploymentStatus.choices)
    hired_on = Day(required=False, allow_null=True)
    personality_traits = Words(required=False)
    behavioral_patterns = Words(required=False)
    compatibility = CompatibilityBody(required=False)
    astrology = AstrologyBody(required=False)
    performance = PerformanceBody(required=False)

    @staticmethod
    def fields_of_model(body: dict[str, Any]) -> dict[str, Any]:
        """The body's names as the model has them: `compatibility.company` is `compatibility_company`."""
        groups = {"compatibility": "compatibility_{}", "astrology": "{}", "performance": "{}"}
        found = {name: value for name, value in body.items() if name not in groups}
        for group, pattern in groups.items():
            found |= {pattern.format(name): value for name, value in body.get(group, {}).items()}
        if "indicators" in found:
            found["performance_indicators"] = found.pop("indicators")
        for name in ("sun_sign", "moon_sign", "rising_sign", "harmonic_code"):
            if name in found:
                found[name] = found[name] or ""
        return found


class NewEmployee(EmployeeChange):
    first_name = Text(max_length=NAME_LIMIT)
    last_name = Text(max_length=NAME_LIMIT)


# Answers ---------------------------------------------------------------------------------------------------------------


class OrganizationAnswer(serializers.Serializer):
    id = serializers.UUIDField()
    name = serializers.CharField()
    slug = serializers.CharField()


class NamedAnswer(serializers.Serializer):
    id = serializers.UUIDField()
    name = serializers.CharField()


class MembershipAnswer(serializers.Serializer):
    organization = OrganizationAnswer()
    role = serializers.ChoiceField(choices=Role.choices)
    branch = serializers.UUIDField(allow_null=True)
    department = serializers.UUIDField(allow_null=True)


class MeAnswer(serializers.Serializer):
    id = serializers.UUIDField()
    email = serializers.EmailField()
    name = serializers.CharField()
    first_name = serializers.CharField()
    last_name = serializers.CharField()
    account_type = serializers.ChoiceField(choices=AccountType.choices)
    membership = MembershipAnswer(allow_null=True, help_text="The one this request acts for; null where none is chosen.")
    permissions = serializers.ListField(child=serializers.CharField(), help_text="What that membership may do: `domain:function:action`.")
    memberships = MembershipAnswer(many=True, help_text="All of them; with an API key, the key's own.")


class SignInAnswer(serializers.Serializer):
    id = serializers.IntegerField()
    user_agent = serializers.CharField()
    ip_address = serializers.IPAddressField()
    signed_in_at = serializers.DateTimeField()
    this_one = serializers.BooleanField(help_text="Whether this request comes from it.")


class CompatibilityAnswer(serializers.Serializer):
    job_role = serializers.DecimalField(max_digits=5, decimal_places=2, allow_null=True)
    department = serializers.DecimalField(max_digits=5, decimal_places=2, allow_null=True)
    company = serializers.DecimalField(max_digits=5, decimal_places=2, allow_null=True)
    industry = serializers.DecimalField(max_digits=5, decimal_places=2, allow_null=True)


class AstrologyAnswer(serializers.Serializer):
    sun_sign = serializers.ChoiceField(choices=ZodiacSign.choices, allow_null=True)
    moon_sign = serializers.ChoiceField(choices=ZodiacSign.choices, allow_null=True)
    rising_sign = serializers.ChoiceField(choices=ZodiacSign.choices, allow_null=True)
    harmonic_code = serializers.CharField(allow_null=True)
    last_harmonic_update = serializers.DateTimeField(allow_null=True)


class PerformanceAnswer(serializers.Serializer):
    indicators = serializers.DictField(help_text="Names and figures.")
    training_needs = serializers.ListField(child=serializers.CharField())
    strengths = serializers.ListField(child=serializers.CharField())
    development_areas = serializers.ListField(child=serializers.CharField())


class EmployeeAnswer(serializers.Serializer):
    id = serializers.UUIDField()
    number = serializers.CharField()
    name = serializers.CharField()
    first_name = serializers.CharField()
    last_name = serializers.CharField()
    email = serializers.CharField(help_text="Empty where unknown.")
    job_title = serializers.CharField()
    branch = NamedAnswer(allow_null=True)
    department = NamedAnswer(allow_null=True)
    reports_to = serializers.UUIDField(allow_null=True)
    status = serializers.ChoiceField(choices=EmploymentStatus.choices)
    hired_on = serializers.DateField(allow_null=True)
    personality_traits = serializers.ListField(child=serializers.CharField())
    behavioral_patterns = serializers.ListField(child=serializers.CharField())
    compatibility = CompatibilityAnswer()
    astrology = AstrologyAnswer()
    performance = PerformanceAnswer()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class BranchAnswer(serializers.Serializer):
    id = serializers.UUIDField()
    name = serializers.CharField()
    location = serializers.CharField()


class DepartmentAnswer(serializers.Serializer):
    id = serializers.UUIDField()
    name = serializers.CharField()
    branch = NamedAnswer()
