"""Enumerations of people and organizations (D15)."""

from django.db.models import TextChoices


class Role(TextChoices):
    """A person's role in an organization (D4)."""

    OWNER = "owner", "Owner"
    LEADER = "leader", "Leader"
    MANAGER = "manager", "Manager"
    AGENT = "agent", "Support agent"
    GUEST = "guest", "Guest"


class OrganizationStatus(TextChoices):
    ACTIVE = "active", "Active"
    SUSPENDED = "suspended", "Suspended"


class AccountType(TextChoices):
    """`user_account_type_informal_enum`."""

    GUEST = "guest", "Guest"
    MEMBER = "member", "Member"
    AGENT = "agent", "Support agent"
    STAFF = "staff", "Platform staff"
    ROBOT = "robot", "Robot"


FORMER_MEMBER = "Former member"  # what an erased person is called
NOBODY = "00000000-0000-0000-0000-000000000000"  # whose it is what an erased person left where others can read it


class AccountStatus(TextChoices):
    """`user_account_status_enum`."""

    PENDING_VERIFICATION = "pending-verification", "Pending verification"
    ACTIVE = "active", "Active"
    SUSPENDED = "suspended", "Suspended"
    DEACTIVATED = "deactivated", "Deactivated"


class SubscriptionPlan(TextChoices):
    FREE = "free", "Free"
    TEAM = "team", "Team"
    BUSINESS = "business", "Business"
    ENTERPRISE = "enterprise", "Enterprise"


class SubscriptionStatus(TextChoices):
    TRIAL = "trial", "Trial"
    ACTIVE = "active", "Active"
    PAST_DUE = "past_due", "Past due"
    CANCELLED = "cancelled", "Cancelled"


class EmploymentStatus(TextChoices):
    ACTIVE = "active", "Active"
    ON_LEAVE = "on_leave", "On leave"
    LEFT = "left", "Left"


class CandidateStage(TextChoices):
    APPLIED = "applied", "Applied"
    INTERVIEW = "interview", "Interview"
    OFFER = "offer", "Offer"
    HIRED = "hired", "Hired"
    REJECTED = "rejected", "Rejected"


class ZodiacSign(TextChoices):
    ARIES = "aries", "Aries"
    TAURUS = "taurus", "Taurus"
    GEMINI = "gemini", "Gemini"
    CANCER = "cancer", "Cancer"
    LEO = "leo", "Leo"
    VIRGO = "virgo", "Virgo"
    LIBRA = "libra", "Libra"
    SCORPIO = "scorpio", "Scorpio"
    SAGITTARIUS = "sagittarius", "Sagittarius"
    CAPRICORN = "capricorn", "Capricorn"
    AQUARIUS = "aquarius", "Aquarius"
    PISCES = "pisces", "Pisces"


class AccessKind(TextChoices):
    """What was done with another person's conversation (D12)."""

    READ = "read", "Read"
    EXPORT = "export", "Exported"
    SEARCH = "search", "Found by search"


class PeopleChange(TextChoices):
    """What somebody did to the people and places of an organization."""

    EMPLOYEE_ADDED = "EMPLOYEE_ADDED", "Added an employee"
    EMPLOYEE_UPDATED = "EMPLOYEE_UPDATED", "Changed an employee"
    DEPARTMENT_SETUP = "DEPARTMENT_SETUP", "Set up a department"
    USER_MANAGED = "USER_MANAGED", "Managed a person's access"
