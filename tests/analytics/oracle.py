"""The metric tables, computed again from the raw logs in plain Python, a thing at a time, as `docs/metrics.md` says and not as the
rollups do. Imports nothing of `analytics.rollups` and `analytics.selectors`.

Each function takes the documents of a whole log and a day, and gives what its table should hold of it: a dict by the row's key.
"""

import uuid
from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

FEATURE_OF_EVENT = {
    "REPORT_VIEW": "report_generation",
    "REPORT_DOWNLOAD": "report_generation",
    "AI_CHAT_MESSAGE": "ai_consultation",
    "EMPLOYEE_ADDED": "employee_management",
    "EMPLOYEE_UPDATED": "employee_management",
    "DEPARTMENT_SETUP": "department_setup",
    "USER_MANAGED": "user_management",
    "DASHBOARD_LOAD": "analytics_viewing",
    "NOTIFICATION_CLICKED": "notification_interaction",
}
CATEGORY_OF_FEATURE = {
    "employee_management": "EMPLOYEE_MANAGEMENT",
    "report_generation": "REPORT_GENERATION",
    "ai_consultation": "AI_CONSULTATION",
    "department_setup": "DEPARTMENT_SETUP",
    "user_management": "USER_MANAGEMENT",
    "analytics_viewing": "ANALYTICS_VIEWING",
    "notification_interaction": "NOTIFICATION_INTERACTION",
}
ENDED = {"sent", "interrupted", "error", "cancelled"}
ERASED = "00000000-0000-0000-0000-000000000000"


def is_of(moment: datetime, day: date) -> bool:
    return moment.astimezone(UTC).date() == day


def feature_of(event: dict) -> str | None:
    said = (event.get("eventMetadata") or {}).get("feature")
    return said if said in CATEGORY_OF_FEATURE else FEATURE_OF_EVENT.get(event["eventType"])


def engagement(events: list[dict], sittings: list[dict], day: date, members: set[tuple[str, str]]) -> dict:
    """By organization and person; `members` are all pairs that PostgreSQL knows both of."""
    rows: dict = {}
    for event in events:
        if not is_of(event["timestamp"], day):
            continue
        key = event["organizationId"], event["userId"]
        row = rows.setdefault(key, {"count": Counter(), "sessions": defaultdict(list), "features": Counter(), "times": []})
        row["count"][event["eventType"]] += 1
        row["times"].append(event["timestamp"])
        if event.get("sessionId"):
            row["sessions"][event["sessionId"]].append(event["timestamp"])
        if feature := feature_of(event):
            row["features"][feature] += 1
    begun = Counter((one["organizationId"], one["userId"]) for one in sittings if is_of(one["sessionStarted"], day))
    for key in begun:
        rows.setdefault(key, {"count": Counter(), "sessions": {}, "features": Counter(), "times": []})
    return {
        key: (
            len(row["sessions"]),
            int(sum((max(times) - min(times)).total_seconds() for times in row["sessions"].values()) // 60),
            row["count"]["REPORT_VIEW"],
            row["count"]["REPORT_DOWNLOAD"],
            row["count"]["AI_CHAT_MESSAGE"],
            begun[key],
            row["count"]["EMPLOYEE_ADDED"],
            row["count"]["EMPLOYEE_UPDATED"],
            row["count"]["DASHBOARD_LOAD"],
            dict(row["features"]),
            max(row["times"], default=None),
        )
        for key, row in rows.items()
        if key in members
    }


def features(events: list[dict], day: date) -> dict:
    """By organization, feature and role; role "" is everybody."""
    used = defaultdict(list)
    for event in events:
        if is_of(event["timestamp"], day) and (feature := feature_of(event)):
            used[event["organizationId"], feature, ""].append(event)
            if event.get("userRole"):
                used[event["organizationId"], feature, event["userRole"]].append(event)
    rows = {}
    for key, uses in used.items():
        about = [use.get("eventMetadata") or {} for use in uses]
        durations = [one["duration"] for one in about if one.get("duration") is not None and 0 <= one["duration"] <= 86_400]
        total = sum((Decimal(round(seconds * 1_000_000)) for seconds in durations), Decimal()) / 1_000_000
        outcomes = [one["success"] for one in about if one.get("success") is not None]
        rows[key] = (
            CATEGORY_OF_FEATURE[key[1]],
            len(uses),
            len({use["userId"] for use in uses}),
            len(durations),
            total,
            None if not durations else (total / len(durations)).quantize(Decimal("0.01"), "ROUND_HALF_UP"),
            outcomes.count(True),
            outcomes.count(False),
            len(outcomes),
            None if not outcomes else (Decimal(outcomes.count(True)) * 100 / len(outcomes)).quantize(Decimal("0.01"), "ROUND_HALF_UP"),
            {
                "hourly": dict(Counter(str(use["timestamp"].astimezone(UTC).hour) for use in uses)),
                "by_department": dict(Counter(use["departmentId"] for use in uses if use.get("departmentId"))),
            },
        )
    return rows


def ai_chat(sittings: list[dict], day: date, members: set[tuple[str, str]]) -> dict:
    """By the sitting's id."""
    rows = {}
    for one in sittings:
        if is_of(one["sessionStarted"], day) and (one["organizationId"], one["userId"]) in members:
            said = one.get("satisfactionFeedback") or {}
            types = {one["sessionContext"].get("queryType")}
            types |= {(message.get("metadata") or {}).get("queryType") for message in one["messages"]}
            rows[one["sessionId"]] = (
                one["organizationId"],
                one["userId"],
                one["sessionMetrics"]["totalMessages"],
                one["sessionMetrics"]["totalTokens"],
                int((one["sessionEnded"] - one["sessionStarted"]).total_seconds()),
                sorted(types - {None}),
                sorted(uuid.UUID(employee) for employee in set(one["sessionMetrics"]["employeesDiscussed"])),
                said.get("rating"),
                said.get("wasHelpful"),
                said.get("feedbackText"),
                one["sessionStarted"],
                one["sessionEnded"],
            )
    return rows


def chat(messages: list[dict], conversations: list[dict], reports: list[dict], day: date) -> dict:
    """By organization, branch, department and person, of which at most one of the last three is set."""
    known = {one["conversationId"]: one for one in conversations if one["kind"] == "assistant"}
    scopes: dict = defaultdict(list)
    for one in messages:
        counts = one.get("userId") and one["role"] in ("user", "assistant") and one["status"] in ENDED
        if counts and one["conversationId"] in known and is_of(one["createdAt"], day):
            for scope in scopes_of(one["organizationId"], one.get("branchId"), one.get("departmentId"), one["userId"]):
                scopes[scope].append(one)
    read: dict = defaultdict(Counter)
    for one in reports:
        if is_of(one["timestamp"], day):
            for scope in scopes_of(one["organizationId"], None, one.get("departmentId"), one["accessedBy"]["userId"]):
                read[scope][one["reportType"]] += 1
                scopes[scope] += []
    return {scope: chat_row(said, known, read[scope], day) for scope, said in scopes.items()}


def scopes_of(organization, branch, department, user):
    yield (organization, None, None, None)
    if branch:
        yield (organization, branch, None, None)
    if department:
        yield (organization, None, department, None)
    if user != ERASED:
        yield (organization, None, None, user)


def chat_row(said: list[dict], known: dict, reports: Counter, day: date) -> dict:
    questions = [one for one in said if one["role"] == "user"]
    answers = [one for one in said if one["role"] == "assistant"]
    took = [one.get("aiResponseMetadata") or {} for one in answers]
    feedback = [one.get("feedback") or {} for one in answers]
    asked = {one["conversationId"] for one in questions}
    times = defaultdict(list)
    for one in said:
        times[one["conversationId"]].append(one["createdAt"])
    hours = Counter(one["createdAt"].astimezone(UTC).hour for one in said)
    costs = [one["cost"].to_decimal() for one in took if one.get("cost") is not None]
    seconds = [one["responseTime"] for one in took if one.get("responseTime") is not None]
    confidences = [one["confidenceScore"] for one in took if one.get("confidenceScore") is not None]
    ratings = [one["rating"] for one in feedback if one.get("rating") is not None]
    helpful = [one["isHelpful"] for one in feedback if one.get("isHelpful") is not None]
    mentions = Counter(named["employeeId"] for one in answers for named in one.get("referencedEmployees") or [])
    topics = Counter(known[one].get("context", {}).get("userIntent") for one in asked)
    topics.pop(None, None)
    lasted = sum(((max(moments) - min(moments)) for moments in times.values()), timedelta())
    return {
        "total_conversations": len(asked),
        "new_conversations": sum(is_of(known[one]["createdAt"], day) for one in asked),
        "total_messages": len(said),
        "unique_users": len({one["userId"] for one in questions}),
        "conversation_minutes": (Decimal(lasted // timedelta(milliseconds=1)) / 60_000).quantize(Decimal("0.000001")),
        "hourly_messages": {str(hour): n for hour, n in hours.items()},
        "peak_usage_hours": sorted(hour for hour in hours if hours[hour] == max(hours.values())),
        "answers": len(answers),
        "failed_answers": sum(one["status"] in ("error", "interrupted") for one in answers),
        "retry_count": sum(one.get("attempt", 1) - 1 for one in answers),
        "total_tokens_used": sum(one.get("tokensUsed") or 0 for one in took),
        "total_cost": sum(costs, Decimal()),
        "unpriced_answers": len(answers) - len(costs),
        "timed_answers": len(seconds),
        "response_milliseconds": sum((Decimal(repr(one)).quantize(Decimal("0.001")) for one in seconds), Decimal()),
        "confident_answers": len(confidences),
        "confidence_sum": sum((Decimal(repr(one)).quantize(Decimal("0.000001")) for one in confidences), Decimal()),
        "feature_usage": dict(Counter(known[one]["type"] for one in asked)),
        "total_ratings": len(ratings),
        "rating_sum": sum(ratings),
        "helpful_count": helpful.count(True),
        "unhelpful_count": helpful.count(False),
        "feedback_comments": sum(one.get("comment") is not None for one in feedback),
        "most_discussed_employees": most(mentions, "employeeId", "mentionCount"),
        "common_topics": most(topics, "topic", "frequency"),
        "report_access_count": dict(reports),
    }


def most(counted: Counter, name: str, number: str) -> list[dict]:
    ordered = sorted(counted.items(), key=lambda one: (-one[1], one[0]))
    return [{name: thing, number: n} for thing, n in ordered[:10]]


def usage(calls: list, day: date) -> dict:
    """By organization, service, model and purpose; `calls` are rows of the ledger."""
    rows = defaultdict(list)
    for call in calls:
        if is_of(call.created_at, day):
            rows[str(call.organization_id), call.service, call.model, call.purpose].append(call)
    return {
        key: (
            len(made),
            sum(call.outcome != "answered" for call in made),
            *(
                sum(getattr(call, name) or 0 for call in made)
                for name in ("input_tokens", "cached_input_tokens", "output_tokens", "reasoning_tokens")
            ),
            sum((call.expected_cost or Decimal() for call in made), Decimal()),
            sum(call.expected_cost is None for call in made),
            float(sum(call.latency for call in made)),
        )
        for key, made in rows.items()
    }


def organization_days(engaged: dict, asked: dict) -> dict:
    """By organization, of the rows of `engagement` and `chat`: nine sums, and who is engaged, used a feature, asked."""
    found: dict = defaultdict(lambda: ([0] * 9, set(), set(), set()))
    for (organization, user), row in engaged.items():
        sums, there, used, _ = found[organization]
        sums[:] = [known + more for known, more in zip(sums, row[:9], strict=True)]
        there.add(user)
        if row[9]:
            used.add(user)
    for organization, _, _, user in asked:
        if user:
            found[organization][3].add(user)
    return dict(found)
