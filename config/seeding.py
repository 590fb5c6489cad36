"""Makes the demo organizations through the same services as everybody, so that they are what real ones would be.

Run again, it adds what is missing and changes nothing that is there. Never for production: everybody's password is known.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from django.test.utils import override_settings
from django.utils import timezone

from analytics.services import fill
from analytics.windows import start_of
from chat import access as chat_access
from chat.choices import MessageStatus
from chat.documents import Message
from chat.realtime.calls import Call
from chat.records import ConversationRecord
from chat.services import answers, conversations, turns
from config import activity, demo, loop, mongo
from integrations.choices import BudgetPeriodLength, BudgetScope
from integrations.models import ApiCall, Bridge, Chatbot, Template, Trial
from integrations.services import settings, spending, versions
from tenants import access, scoping
from tenants.choices import AccountType, Role, SubscriptionPlan
from tenants.models import Candidate, Department, Employee, Membership, Organization, User
from tenants.services import accounts, organizations

M = mongo.names(Message)

ANSWER_SECONDS = 60.0
SIGN_CODE_EPOCH = date(2000, 1, 1)


@dataclass
class Made:
    """How many rows a run added."""

    organizations: int = 0
    accounts: int = 0
    employees: int = 0
    candidates: int = 0
    conversations: int = 0
    questions: int = 0
    log_entries: int = 0
    failed_answers: int = 0


def seed(*, now: datetime, days: int, tell: Callable[[str], None] = lambda line: None) -> Made:
    """Makes what is missing. Conversations lie within the last `days`; their answers come from the offline consultant, at no cost."""
    made = Made()
    departments: dict[tuple[str, str], Department] = {}
    found: dict[str, Organization] = {}
    for wanted in demo.ORGANIZATIONS:
        tell(f"{wanted.name}: places and people")
        organization = found[wanted.slug] = _organization(wanted, made, began=now - timedelta(days=days))
        for branch_name, (location, names) in wanted.branches.items():
            branch = organizations.add_branch(organization, name=branch_name, location=location, began=organization.created_at)
            for name in names:
                departments[wanted.slug, name] = organizations.add_department(branch, name=name, began=branch.created_at)
        with scoping.tenant(organization):
            of_organization = {name: department for (slug, name), department in departments.items() if slug == wanted.slug}
            _employees(organization, wanted, of_organization, made, now=now)
            _candidates(organization, wanted, of_organization, made, now=now)
    tell("Accounts")
    members = _accounts(found, departments, made)
    tell("Acme: bridges, a chatbot and budgets")
    _configured(members["olive@acme.example"])
    # A developer's paid model must not write the demo's answers.
    with override_settings(OPENAI_API_KEY="", OPENAI_BASE_URL=""):
        for wanted in demo.ORGANIZATIONS:
            tell(f"{wanted.name}: conversations")
            for talk in wanted.talks:
                _talk(members[talk.asker], talk, made, began=now - timedelta(days=talk.days_ago * days / 90))
    tell("What everybody did")
    made.log_entries = activity.write(members, now=now, days=days)
    tell("Counting it, as every night does")
    fill.catch_up(now=now)
    return made


def _configured(owner: Membership) -> None:
    """What Acme has configured, unless it has bridges already."""
    with scoping.tenant(owner.organization_id):
        if Bridge.objects.for_tenant(owner.organization_id).exists():
            return
        template = settings.create(Template, owner, **demo.TEMPLATE)
        settings.create(ApiCall, owner, **demo.TOOL)
        summary, shop = (settings.create(Bridge, owner, **wanted) for wanted in demo.BRIDGES)
        settings.change(summary, owner, template=template.pk)
        settings.create(Trial, owner, bridge_id=summary.pk, **demo.TRIAL)
        versions.publish(summary, owner, note="The first summaries.")
        versions.publish(shop, owner, note="For the shop's opening.")
        settings.create(Chatbot, owner, bridge=[str(shop.pk)], **demo.CHATBOT)
        spending.create(owner, scope=BudgetScope.ORGANIZATION, period=BudgetPeriodLength.MONTH, **demo.BUDGET)
        spending.create(owner, scope=BudgetScope.BRIDGE, period=BudgetPeriodLength.DAY, target_id=shop.pk, **demo.BRIDGE_BUDGET)


def _organization(wanted: demo.DemoOrganization, made: Made, *, began: datetime) -> Organization:
    organization = Organization.objects.filter(slug=wanted.slug).first()
    if organization is None:
        plan = SubscriptionPlan(wanted.plan)
        organization = organizations.create(wanted.name, slug=wanted.slug, plan=plan, seats=wanted.seats, began=began)
        made.organizations += 1
    return organization


def _accounts(found: dict[str, Organization], departments: dict[tuple[str, str], Department], made: Made) -> dict[str, Membership]:
    members: dict[str, Membership] = {}
    for account in demo.ACCOUNTS:
        user, created = accounts.get_or_create(
            account.email,
            first_name=account.first_name,
            last_name=account.last_name,
            password=demo.PASSWORD,
            account_type=_account_type(account),
            verified=True,
            superuser=not account.organization,
        )
        made.accounts += created
        if account.organization:
            members[account.email] = _member(account, user, found[account.organization], departments)
    return members


def _account_type(account: demo.Account) -> AccountType:
    if not account.organization:
        return AccountType.STAFF
    return AccountType.AGENT if account.role == Role.AGENT else AccountType.MEMBER


def _member(account: demo.Account, user: User, organization: Organization, departments: dict[tuple[str, str], Department]) -> Membership:
    """The person's place. One that is there already stays as it is: somebody may have changed it by hand."""
    with scoping.tenant(organization):
        there = Membership.objects.for_tenant(organization).select_related("organization", "user").filter(user=user).first()
        if there is not None:
            return there
        department = departments.get((account.organization, account.department))
        branch = department.branch if department else None
        if branch is None and account.branch:
            branch = organizations.add_branch(organization, name=account.branch)
        return accounts.add_member(organization, user=user, role=Role(account.role), branch=branch, department=department)


def _employees(
    organization: Organization, wanted: demo.DemoOrganization, departments: dict[str, Department], made: Made, *, now: datetime
) -> None:
    there = {employee.number: employee for employee in Employee.objects.for_tenant(organization)}
    fresh = [
        _employee(organization, person, departments[person.department], now=now) for person in wanted.people if person.number not in there
    ]
    for employee in fresh:
        employee.full_clean(exclude=["reports_to"])
    Employee.objects.for_tenant(organization).bulk_create(fresh)
    made.employees += len(fresh)
    there |= {employee.number: employee for employee in fresh}
    bosses = {person.number: person.reports_to for person in wanted.people if person.reports_to}
    for employee in fresh:
        if employee.number in bosses:
            employee.reports_to = there[bosses[employee.number]]
            employee.save(update_fields=["reports_to", "updated_at"])


def _employee(organization: Organization, person: demo.Person, department: Department, *, now: datetime) -> Employee:
    first_name, _, last_name = person.name.partition(" ")
    sun, moon, rising = person.signs
    job, of_department, company, industry = (Decimal(str(score)) for score in person.fit)
    return Employee(
        organization=organization,
        number=person.number,
        first_name=first_name,
        last_name=last_name,
        email=f"{first_name}.{last_name}@{organization.slug}.example".lower(),
        job_title=person.job,
        branch_id=department.branch_id,
        department=department,
        status=person.status,
        hired_on=date.fromisoformat(person.hired),
        personality_traits=listed(person.traits),
        behavioral_patterns=listed(person.patterns),
        compatibility_job_role=job,
        compatibility_department=of_department,
        compatibility_company=company,
        compatibility_industry=industry,
        sun_sign=sun,
        moon_sign=moon,
        rising_sign=rising,
        harmonic_code=f"H{(date.fromisoformat(person.hired) - SIGN_CODE_EPOCH).days % 12 + 1}-{sun[:2]}{moon[:2]}{rising[:2]}".upper(),
        last_harmonic_update=now,
        created_at=max(organization.created_at, start_of(date.fromisoformat(person.hired))),
        performance_indicators=dict(person.figures),
        training_needs=listed(person.training),
        strengths=listed(person.strengths),
        development_areas=listed(person.growing),
    )


def _candidates(
    organization: Organization, wanted: demo.DemoOrganization, departments: dict[str, Department], made: Made, *, now: datetime
) -> None:
    for place, applicant in enumerate(wanted.applicants):
        first_name, _, last_name = applicant.name.partition(" ")
        department = departments[applicant.department]
        _, created = Candidate.objects.for_tenant(organization).get_or_create(
            first_name=first_name,
            last_name=last_name,
            position=applicant.position,
            defaults={
                "email": f"{first_name}.{last_name}@mail.example".lower(),
                "branch_id": department.branch_id,
                "department": department,
                "stage": applicant.stage,
                "strengths": listed(applicant.strengths),
                "notes": applicant.notes,
                "created_at": max(organization.created_at, now - timedelta(days=9 * place + 3)),
            },
        )
        made.candidates += created


def _talk(membership: Membership, talk: demo.Talk, made: Made, *, began: datetime) -> None:
    """One conversation: each question with its answer, in order. What a killed run left without an answer gets one now."""
    with scoping.tenant(membership.organization_id):
        employees = {employee.number: employee for employee in access.employees_for(membership)}
        conversation = conversations.start(
            membership,
            type=talk.type,
            subject_employee_ids=[str(employees[number].pk) for number in talk.about],
            client_id=f"demo-{talk.key}",
            now=began,
        )
        if conversation.message_count >= 2 * len(talk.questions):
            return
        made.conversations += conversation.message_count == 0
        for place, question in enumerate(talk.questions):
            turn = _turn(membership, conversation, question, f"demo-{talk.key}-{place}", now=began + timedelta(minutes=4 * place))
            created, status = loop.run(turn, timeout=ANSWER_SECONDS)
            made.questions += created
            made.failed_answers += status != MessageStatus.SENT
        if talk.pinned:
            conversations.pin(membership, conversation)
        if talk.archived:
            conversations.archive(membership, conversation)


async def _turn(membership: Membership, conversation: ConversationRecord, text: str, client_id: str, *, now: datetime) -> tuple[bool, str]:
    """Asks, and writes the answer in this process. Gives whether the question is new, and how its answer ended."""
    submitted = await turns.asubmit(membership, conversation, text=text, client_id=client_id, now=now)
    assert submitted.answer is not None  # a consultation's question always has one
    mine = {M.organization_id: conversation.organization_id, M.message_id: submitted.answer.id, M.status: MessageStatus.PENDING.value}
    queued = {"$set": {M.queued_at: timezone.now()}}  # it is asked in the past and written now: that took no days
    await mongo.async_collection(Message).update_one(mine, queued)
    await answers.produce(Call.to(submitted.answer, conversation))
    answer = await chat_access.amessage_for(membership, submitted.answer.id)
    return submitted.created, answer.status


def listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
