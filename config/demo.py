"""The demo organizations of a development machine: who is there, and what they asked. `config.seeding` makes them.

Invented people. Scores are 0 to 100; performance figures are the organization's own.
"""

from dataclasses import dataclass, field
from decimal import Decimal

PASSWORD = "parley-demo-2026"


@dataclass(frozen=True)
class Account:
    """Someone who can sign in. Platform staff have no organization."""

    email: str
    first_name: str
    last_name: str
    title: str
    organization: str = ""
    role: str = ""
    branch: str = ""
    department: str = ""


@dataclass(frozen=True)
class Person:
    """An employee: what the organization knows of them. Lists are comma-separated; `fit` is job, department, company, industry."""

    number: str
    name: str
    job: str
    department: str
    hired: str
    signs: tuple[str, str, str]
    fit: tuple[float, float, float, float]
    traits: str
    patterns: str
    strengths: str
    growing: str
    training: str
    figures: dict[str, float]
    reports_to: str = ""
    status: str = "active"


@dataclass(frozen=True)
class Applicant:
    name: str
    position: str
    department: str
    stage: str
    strengths: str
    notes: str


@dataclass(frozen=True)
class Talk:
    """A conversation: who asked what about whom (employees' numbers), and how many of ninety days ago."""

    key: str
    asker: str
    type: str
    about: tuple[str, ...]
    questions: tuple[str, ...]
    days_ago: float
    pinned: bool = False
    archived: bool = False


@dataclass(frozen=True)
class DemoOrganization:
    slug: str
    name: str
    plan: str
    seats: int
    branches: dict[str, tuple[str, tuple[str, ...]]]  # name → location, departments
    people: tuple[Person, ...]
    applicants: tuple[Applicant, ...] = ()
    talks: tuple[Talk, ...] = field(default=())


ACCOUNTS = (
    Account("olive@acme.example", "Olive", "Okafor", "owner of Acme", "acme", "owner"),
    Account("liam@acme.example", "Liam", "Lindqvist", "leader of Acme's Berlin branch", "acme", "leader", "Berlin"),
    Account("mona@acme.example", "Mona", "Mercier", "manager of Acme's Engineering", "acme", "manager", "Berlin", "Engineering"),
    Account("ada@acme.example", "Ada", "Adeyemi", "support agent of Acme", "acme", "agent", "Lisbon", "Customer Success"),
    Account("greta@globex.example", "Greta", "Gupta", "owner of Globex", "globex", "owner"),
    Account("staff@parley.example", "Sam", "Staff", "platform staff, opens /admin/"),
)
PEOPLE = tuple((account.email, account.title) for account in ACCOUNTS)

_ENGINEERING = (
    Person(
        "A-101",
        "Mona Mercier",
        "Engineering Manager",
        "Engineering",
        "2019-03-04",
        ("virgo", "capricorn", "libra"),
        (91, 94, 89, 84),
        "structured, fair, reserved, dependable",
        "writes the agenda a day ahead, gives feedback within a day, protects focus time",
        "planning, calm in incidents, hiring",
        "delegating technical decisions, speaking up to executives",
        "executive communication, budget planning",
        {"goals reached": 94, "team retention": 96, "peer feedback": 4.6, "on-time delivery": 91},
    ),
    Person(
        "A-102",
        "Tomas Novak",
        "Senior Backend Engineer",
        "Engineering",
        "2020-09-01",
        ("capricorn", "taurus", "virgo"),
        (93, 86, 82, 88),
        "thorough, sceptical, patient, modest",
        "tests assumptions before he commits, works late before releases, answers in long written notes",
        "system design, code review, debugging under pressure",
        "saying no early, presenting to non-engineers",
        "presentation skills, stakeholder management",
        {"goals reached": 92, "peer feedback": 4.5, "on-time delivery": 88, "reviews given": 212},
        reports_to="A-101",
    ),
    Person(
        "A-103",
        "Priya Raman",
        "Staff Engineer",
        "Engineering",
        "2018-06-18",
        ("aquarius", "gemini", "scorpio"),
        (96, 90, 87, 93),
        "curious, direct, inventive, impatient",
        "sketches alternatives on a whiteboard, mentors two juniors, skips status meetings",
        "architecture, mentoring, writing proposals",
        "listening to slower voices, finishing documentation",
        "coaching for senior engineers",
        {"goals reached": 97, "peer feedback": 4.2, "on-time delivery": 93, "mentees promoted": 2},
        reports_to="A-101",
    ),
    Person(
        "A-104",
        "Jonas Weber",
        "Backend Engineer",
        "Engineering",
        "2022-02-14",
        ("aries", "leo", "gemini"),
        (78, 74, 81, 76),
        "energetic, competitive, open, impulsive",
        "ships small changes often, argues in pull requests, volunteers for on-call",
        "speed, on-call ownership, optimism",
        "testing before merging, taking criticism calmly",
        "test design, feedback conversations",
        {"goals reached": 81, "peer feedback": 3.6, "on-time delivery": 86, "incidents caused": 4},
        reports_to="A-101",
    ),
    Person(
        "A-105",
        "Aiko Tanaka",
        "Frontend Engineer",
        "Engineering",
        "2021-05-10",
        ("libra", "pisces", "cancer"),
        (88, 91, 85, 82),
        "attentive, diplomatic, precise, quiet",
        "asks users before she designs, keeps a changelog, avoids open conflict",
        "accessibility, design sense, teamwork",
        "defending estimates, leading meetings",
        "facilitation, negotiation",
        {"goals reached": 90, "peer feedback": 4.7, "on-time delivery": 92, "accessibility score": 98},
        reports_to="A-101",
    ),
    Person(
        "A-106",
        "Samuel Osei",
        "Site Reliability Engineer",
        "Engineering",
        "2020-01-20",
        ("scorpio", "virgo", "capricorn"),
        (90, 83, 79, 87),
        "calm, analytical, independent, dry humour",
        "automates what he did twice, writes blameless reports, declines vague requests",
        "incident command, automation, monitoring",
        "sharing context early, availability in planning",
        "cross-team planning",
        {"goals reached": 89, "peer feedback": 4.1, "availability": 99.96, "on-time delivery": 84},
        reports_to="A-101",
    ),
    Person(
        "A-107",
        "Elena Popescu",
        "Junior Engineer",
        "Engineering",
        "2024-08-19",
        ("gemini", "sagittarius", "aries"),
        (72, 80, 86, 70),
        "eager, warm, quick, unsure",
        "asks many questions in public, pairs daily, over-commits",
        "learning speed, collaboration",
        "estimating, working alone for a day",
        "data modelling, testing, estimation",
        {"goals reached": 76, "peer feedback": 4.4, "on-time delivery": 71, "courses finished": 5},
        reports_to="A-103",
    ),
    Person(
        "A-108",
        "Marc Dubois",
        "QA Engineer",
        "Engineering",
        "2019-11-04",
        ("taurus", "virgo", "aquarius"),
        (84, 79, 77, 80),
        "persistent, exact, stubborn, loyal",
        "keeps a list of every regression, dislikes last-minute scope, lunches with support",
        "exploratory testing, customer empathy",
        "automation, flexibility near deadlines",
        "test automation",
        {"goals reached": 83, "peer feedback": 3.9, "defects found": 341, "on-time delivery": 87},
        reports_to="A-101",
    ),
)
_PRODUCT = (
    Person(
        "A-201",
        "Hannah Fischer",
        "Head of Product",
        "Product",
        "2018-10-01",
        ("leo", "aries", "sagittarius"),
        (92, 88, 93, 90),
        "visionary, persuasive, decisive, restless",
        "decides in the meeting, changes priorities mid-sprint, praises in public",
        "vision, storytelling, customer interviews",
        "keeping scope stable, reading the details",
        "portfolio planning",
        {"goals reached": 91, "peer feedback": 4.0, "launches": 6, "customer satisfaction": 88},
    ),
    Person(
        "A-202",
        "David Cohen",
        "Product Manager",
        "Product",
        "2021-01-11",
        ("cancer", "libra", "virgo"),
        (83, 87, 84, 79),
        "considerate, organised, cautious",
        "writes one-page briefs, checks back with everyone, postpones hard calls",
        "prioritisation, facilitation, documentation",
        "deciding under uncertainty, saying no to executives",
        "decision making, data analysis",
        {"goals reached": 84, "peer feedback": 4.5, "launches": 4, "on-time delivery": 79},
        reports_to="A-201",
    ),
    Person(
        "A-203",
        "Ines Carvalho",
        "UX Researcher",
        "Product",
        "2022-06-01",
        ("pisces", "cancer", "taurus"),
        (89, 85, 88, 86),
        "empathetic, observant, idealistic",
        "records every interview, shares clips on Fridays, takes criticism of users personally",
        "interviewing, synthesis, storytelling",
        "quantitative methods, brevity",
        "statistics for researchers",
        {"goals reached": 88, "peer feedback": 4.6, "studies": 17, "on-time delivery": 85},
        reports_to="A-201",
    ),
    Person(
        "A-204",
        "Yusuf Demir",
        "Product Designer",
        "Product",
        "2020-04-06",
        ("sagittarius", "aquarius", "leo"),
        (86, 78, 80, 84),
        "playful, ambitious, candid",
        "prototypes overnight, challenges briefs, loses interest after launch",
        "prototyping, visual design, candour",
        "follow-through, handing over specifications",
        "design systems, project ownership",
        {"goals reached": 80, "peer feedback": 3.8, "prototypes": 41, "on-time delivery": 72},
        reports_to="A-201",
    ),
)
_FINANCE = (
    Person(
        "A-251",
        "Greta Lang",
        "Finance Lead",
        "Finance",
        "2017-02-01",
        ("capricorn", "scorpio", "virgo"),
        (94, 92, 90, 91),
        "exact, discreet, principled",
        "closes the month in four days, asks for receipts twice, coaches over coffee",
        "forecasting, compliance, discretion",
        "explaining figures simply, tolerance for drafts",
        "storytelling with data",
        {"goals reached": 96, "peer feedback": 4.3, "days to close": 4, "audit findings": 0},
    ),
    Person(
        "A-252",
        "Noah Brandt",
        "Controller",
        "Finance",
        "2021-09-15",
        ("virgo", "taurus", "pisces"),
        (82, 84, 78, 80),
        "quiet, reliable, literal",
        "answers within the hour, avoids meetings, builds his own spreadsheets",
        "accuracy, modelling",
        "initiative, speaking in groups",
        "presentation skills, process design",
        {"goals reached": 86, "peer feedback": 4.0, "on-time delivery": 97},
        reports_to="A-251",
    ),
)
_SALES = (
    Person(
        "A-301",
        "Rafael Santos",
        "Head of Sales",
        "Sales",
        "2018-01-15",
        ("aries", "sagittarius", "leo"),
        (93, 90, 86, 92),
        "charismatic, driven, generous, loud",
        "calls every lost customer, celebrates every win, forgets the system of record",
        "negotiation, motivation, network",
        "process discipline, listening in reviews",
        "coaching, forecasting",
        {"quota reached": 118, "peer feedback": 4.2, "forecast accuracy": 71, "team retention": 82},
    ),
    Person(
        "A-302",
        "Beatriz Lopes",
        "Account Executive",
        "Sales",
        "2020-03-02",
        ("leo", "libra", "aries"),
        (90, 84, 82, 87),
        "confident, quick, proud",
        "prepares three openings, follows up the same day, guards her accounts",
        "closing, product knowledge, resilience",
        "sharing leads, patience with support",
        "account planning, collaboration",
        {"quota reached": 124, "peer feedback": 3.7, "win rate": 31, "forecast accuracy": 84},
        reports_to="A-301",
    ),
    Person(
        "A-303",
        "Miguel Torres",
        "Account Executive",
        "Sales",
        "2021-07-12",
        ("taurus", "cancer", "capricorn"),
        (81, 86, 88, 79),
        "steady, sincere, unhurried",
        "visits customers in person, keeps promises, starts slowly each quarter",
        "relationships, renewals, honesty",
        "urgency, prospecting",
        "prospecting, time management",
        {"quota reached": 93, "peer feedback": 4.5, "renewal rate": 97, "win rate": 22},
        reports_to="A-301",
    ),
    Person(
        "A-304",
        "Chloe Martin",
        "Sales Development",
        "Sales",
        "2024-02-05",
        ("gemini", "aries", "virgo"),
        (76, 82, 85, 74),
        "talkative, brave, scattered",
        "makes forty calls a day, switches tools weekly, asks for feedback",
        "energy, openness, phone voice",
        "focus, qualification",
        "qualification, note taking",
        {"quota reached": 88, "peer feedback": 4.3, "meetings booked": 132},
        reports_to="A-301",
    ),
    Person(
        "A-305",
        "Omar Haddad",
        "Solutions Engineer",
        "Sales",
        "2019-08-26",
        ("aquarius", "capricorn", "gemini"),
        (92, 81, 84, 90),
        "inventive, patient, independent",
        "builds demonstrations overnight, corrects sales in front of customers, documents well",
        "technical depth, demonstrations, teaching",
        "tact, saying less",
        "customer communication",
        {"quota reached": 109, "peer feedback": 4.0, "demonstrations won": 44, "on-time delivery": 90},
        reports_to="A-301",
    ),
)
_SUCCESS = (
    Person(
        "A-401",
        "Ada Adeyemi",
        "Support Lead",
        "Customer Success",
        "2019-05-20",
        ("cancer", "pisces", "libra"),
        (91, 93, 92, 86),
        "warm, composed, fair",
        "answers the hardest ticket first, holds a daily stand-up, shields her team",
        "de-escalation, coaching, product knowledge",
        "metrics, pushing back on product",
        "data analysis, negotiation",
        {"goals reached": 93, "peer feedback": 4.8, "satisfaction": 95, "first reply minutes": 11},
    ),
    Person(
        "A-402",
        "Lucas Almeida",
        "Customer Success Manager",
        "Customer Success",
        "2021-10-04",
        ("libra", "gemini", "taurus"),
        (85, 88, 87, 81),
        "friendly, adaptable, avoids conflict",
        "schedules quarterly reviews, remembers birthdays, promises too much",
        "relationships, onboarding, patience",
        "setting limits, escalation",
        "difficult conversations",
        {"goals reached": 87, "peer feedback": 4.6, "renewal rate": 94, "satisfaction": 92},
        reports_to="A-401",
    ),
    Person(
        "A-403",
        "Sofia Rossi",
        "Support Specialist",
        "Customer Success",
        "2023-01-09",
        ("virgo", "scorpio", "cancer"),
        (84, 89, 83, 78),
        "meticulous, kind, perfectionist",
        "rewrites answers three times, keeps the knowledge base, stays late",
        "writing, accuracy, empathy",
        "speed, switching off",
        "prioritisation, wellbeing",
        {"goals reached": 85, "peer feedback": 4.7, "satisfaction": 97, "tickets per day": 19},
        reports_to="A-401",
    ),
    Person(
        "A-404",
        "Ben Carter",
        "Support Specialist",
        "Customer Success",
        "2022-11-14",
        ("sagittarius", "leo", "aries"),
        (73, 70, 75, 72),
        "quick, humorous, blunt",
        "closes tickets fast, jokes with customers, skips the template",
        "speed, humour, technical curiosity",
        "tone with upset customers, documentation",
        "customer tone, written communication",
        {"goals reached": 74, "peer feedback": 3.5, "satisfaction": 81, "tickets per day": 34},
        reports_to="A-401",
    ),
    Person(
        "A-405",
        "Fatima Zahra",
        "Onboarding Specialist",
        "Customer Success",
        "2020-12-01",
        ("taurus", "virgo", "pisces"),
        (88, 86, 90, 83),
        "patient, organised, encouraging",
        "makes a plan for each customer, follows up after a month, asks before changing",
        "teaching, planning, follow-through",
        "improvising, technical depth",
        "product internals",
        {"goals reached": 91, "peer feedback": 4.5, "satisfaction": 96, "time to value days": 18},
        reports_to="A-401",
        status="on_leave",
    ),
)

ACME = DemoOrganization(
    slug="acme",
    name="Acme",
    plan="business",
    seats=50,
    branches={
        "Berlin": ("Berlin, Germany", ("Engineering", "Product", "Finance")),
        "Lisbon": ("Lisbon, Portugal", ("Sales", "Customer Success")),
    },
    people=(*_ENGINEERING, *_PRODUCT, *_FINANCE, *_SALES, *_SUCCESS),
    applicants=(
        Applicant(
            "Nadia Haas",
            "Backend Engineer",
            "Engineering",
            "interview",
            "distributed systems, clear writing",
            "Strong on queues; ask about mentoring.",
        ),
        Applicant("Peter Lund", "Backend Engineer", "Engineering", "applied", "Python, testing", "Two years at a payments company."),
        Applicant(
            "Leila Amari", "Engineering Manager", "Engineering", "offer", "hiring, delivery, coaching", "Would take over the platform team."
        ),
        Applicant(
            "Hugo Silva", "Account Executive", "Sales", "interview", "prospecting, languages", "Speaks four languages; wants Lisbon."
        ),
        Applicant(
            "Anna Keller", "Product Designer", "Product", "rejected", "visual design", "Portfolio strong, no experience with research."
        ),
    ),
    talks=(
        Talk(
            "tomas-review",
            "olive@acme.example",
            "employee_specific",
            ("A-102",),
            ("How is Tomas doing, and what should I recognise him for?", "Where would he struggle if I asked him to lead the migration?"),
            2,
            pinned=True,
        ),
        Talk(
            "staff-promotion",
            "olive@acme.example",
            "promotion_readiness",
            ("A-102", "A-103"),
            ("Who of the two is readier to become principal engineer, and why?",),
            9,
        ),
        Talk(
            "jonas-marc",
            "mona@acme.example",
            "conflict_resolution",
            ("A-104", "A-108"),
            (
                "Jonas and Marc argue about testing before every release. How do I bring them together?",
                "Give me an opening sentence for the talk.",
            ),
            4,
        ),
        Talk(
            "elena-one-to-one",
            "mona@acme.example",
            "one_to_one",
            ("A-107",),
            ("Help me prepare my one-to-one with Elena this week.",),
            1,
        ),
        Talk(
            "migration-team",
            "liam@acme.example",
            "team_formation",
            ("A-102", "A-103", "A-105", "A-106"),
            ("Would these four make a good team for the data migration?", "Who should lead it?"),
            16,
        ),
        Talk(
            "product-engineering",
            "liam@acme.example",
            "team_compatibility",
            ("A-101", "A-201", "A-202"),
            ("How well do Mona, Hannah and David work together, and what gets in their way?",),
            27,
        ),
        Talk(
            "sales-quarter",
            "olive@acme.example",
            "performance_optimization",
            ("A-301", "A-302", "A-303", "A-304"),
            ("What would lift the sales team's quarter without burning anyone out?",),
            38,
        ),
        Talk(
            "support-training",
            "olive@acme.example",
            "training_guidance",
            ("A-403", "A-404"),
            ("Which training would help Sofia and Ben most?",),
            61,
            archived=True,
        ),
    ),
)

GLOBEX = DemoOrganization(
    slug="globex",
    name="Globex",
    plan="team",
    seats=15,
    branches={"Vienna": ("Vienna, Austria", ("Research", "Production"))},
    people=(
        Person(
            "G-01",
            "Viktor Huber",
            "Head of Research",
            "Research",
            "2016-04-01",
            ("scorpio", "capricorn", "aquarius"),
            (90, 88, 84, 92),
            "deep, private, demanding",
            "reads everything, publishes rarely, works in silence",
            "research strategy, rigour",
            "praise, delegation",
            "leadership coaching",
            {"goals reached": 90, "patents": 7, "peer feedback": 3.8},
        ),
        Person(
            "G-02",
            "Marie Steiner",
            "Chemist",
            "Research",
            "2021-02-15",
            ("pisces", "virgo", "libra"),
            (87, 85, 89, 84),
            "imaginative, careful, modest",
            "keeps three notebooks, asks for second opinions",
            "experiment design, teamwork",
            "visibility, deciding alone",
            "presentation skills",
            {"goals reached": 92, "peer feedback": 4.6},
            reports_to="G-01",
        ),
        Person(
            "G-03",
            "Luka Horvat",
            "Plant Manager",
            "Production",
            "2018-09-03",
            ("taurus", "aries", "leo"),
            (91, 93, 86, 88),
            "practical, protective, plain-spoken",
            "walks the floor twice a day, fixes before he reports",
            "safety, logistics, loyalty",
            "written reports, change",
            "change management",
            {"goals reached": 95, "accident-free days": 412, "output": 103},
        ),
        Person(
            "G-04",
            "Nora Egger",
            "Shift Lead",
            "Production",
            "2022-05-02",
            ("leo", "cancer", "sagittarius"),
            (80, 86, 83, 77),
            "encouraging, lively, proud",
            "starts each shift with a round, swaps shifts generously",
            "motivation, fairness",
            "paperwork, conflict with peers",
            "conflict resolution",
            {"goals reached": 84, "output": 99, "peer feedback": 4.4},
            reports_to="G-03",
        ),
    ),
    talks=(
        Talk(
            "marie-promotion",
            "greta@globex.example",
            "promotion_readiness",
            ("G-02",),
            ("Is Marie ready to lead her own project?",),
            6,
            pinned=True,
        ),
        Talk(
            "shift-conflict",
            "greta@globex.example",
            "conflict_resolution",
            ("G-03", "G-04"),
            ("Luka and Nora disagree about shift swaps. What now?",),
            20,
        ),
    ),
)

ORGANIZATIONS = (ACME, GLOBEX)

# What Acme has configured, as `integrations.services.settings` takes it. Bridges and chatbots name what they are made of.
TEMPLATE = {
    "name": "Weekly question",
    "text": "Sum up the week of the team {{ team }} in {{ sentences }} sentences.",
    "variables": [
        {"name": "team", "type": "text", "description": "The department's name."},
        {"name": "sentences", "type": "integer", "required": False, "default": 3},
    ],
}
TOOL = {
    "name": "find_order",
    "description": "Looks an order of the shop up by its number: what was bought, when, and whether it was sent.",
    "parameters": {
        "type": "object",
        "properties": {"order_id": {"type": "string", "description": "The order's number, such as A-1001."}},
        "required": ["order_id"],
        "additionalProperties": False,
    },
    "url": "https://shop.acme.example/api/orders/{order_id}",
}
BRIDGES = (
    {
        "name": "Team summary",
        "slug": "team-summary",
        "system_prompt": "You write summaries for the leaders of Acme.\nWrite in the tone: {{ tone }}.\nName no salaries.",
        "variables": [{"name": "tone", "type": "text", "required": False, "default": "friendly and plain"}],
        "configuration": {"temperature": 0.3},
    },
    {
        "name": "Shop assistant",
        "slug": "shop-assistant",
        "bridge_type": "chatbot",
        "system_prompt": "You help visitors of Acme's shop. Be brief and kind. Where you do not know, offer a person.",
        "default_questions": ["Where is my order?", "How do I send something back?"],
        "is_api_call": True,
        "api_endpoints": ["find_order"],
    },
)
TRIAL = {
    "name": "Names no salaries",
    "text": "How is the team doing?",
    "values": {"team": "Engineering"},
    "traits": [{"type": "lacks", "value": "salary"}, {"type": "max_length", "value": 4000}],
}
BUDGET = {"amount": Decimal(200)}  # US dollars a month, for all of Acme
BRIDGE_BUDGET = {"amount": Decimal(5)}  # a day
CHATBOT = {
    "title": "Acme shop",
    "config": {
        "buttonName": "Ask Acme",
        "themeColor": "#0c685f",
        "type": "popup",
        "width": 380,
        "widthUnit": "px",
        "height": 560,
        "heightUnit": "px",
    },
    "allowed_origins": ["https://shop.acme.example", "http://localhost:3000"],
}
