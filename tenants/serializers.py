"""What `me`, employees, branches and departments take and give. The answers' serializers only document: selectors make the dicts."""

from rest_framework import serializers

from config.api import Id, PageQuery, Text, Word
from tenants.choices import AccountType, EmploymentStatus, ZodiacSign
from tenants.roles import Role

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
