"""What figures are called on pages, and how they are written."""

from decimal import ROUND_HALF_UP, Decimal

from analytics.series import Figure

NONE = "–"

# Names that their column's words do not give.
LABELS = {
    "active_users_count": "Active people",
    "unique_users": "People",
    "login_count": "Sessions",
    "minutes_per_login": "Minutes a session",
    "session_duration_minutes": "Minutes",
    "ai_chat_messages_sent": "Questions asked",
    "ai_chat_sessions": "Sittings with the AI",
    "ai_chat_sessions_total": "Sittings with the AI, ever",
    "reports_generated_total": "Reports, ever",
    "total_conversations": "Consultations",
    "new_conversations": "New consultations",
    "conversation_minutes": "Minutes",
    "retry_count": "Retries",
    "total_tokens_used": "Tokens",
    "total_cost": "Cost",
    "total_tokens": "Tokens",
    "response_milliseconds": "Response time, together",
    "average_response_time": "Response time",
    "latency_milliseconds": "Response time, together",
    "average_latency_milliseconds": "Response time",
    "average_conversation_duration": "Minutes a consultation",
    "average_messages_per_conversation": "Messages a consultation",
    "average_confidence_score": "Confidence",
    "error_rate": "Failed, share",
    "failure_rate": "Failed, share",
    "helpful_rate": "Helpful, share",
    "success_rate": "Succeeded, share",
    "total_ratings": "Ratings",
    "rating_sum": "Stars, together",
    "ai_consultation_satisfaction_rate": "Consultation satisfaction",
    "nps_score": "Net promoter score",
    "mrr": "Monthly recurring revenue",
    "arr": "Yearly recurring revenue",
    "processing_time_seconds": "Making time, together",
    "average_processing_time_seconds": "Making time",
    "duration_seconds": "Time, together",
    "average_duration_seconds": "Time a use",
    "report_size_kb": "Size, kB",
    "ai_tokens_used": "Tokens",
}
DOLLARS = {"cost", "total_cost", "mrr", "arr", "cost_per_hire"}
SECONDS = {"duration_seconds", "average_duration_seconds", "processing_time_seconds", "average_processing_time_seconds"}
MILLISECONDS = {"average_response_time", "average_latency_milliseconds", "response_milliseconds", "latency_milliseconds"}
STARS = {"average_rating", "average_user_satisfaction_score", "report_accuracy_rating"}
# Fewer are better: a rise is no good news.
FEWER_IS_BETTER = {"failed_answers", "error_rate", "average_response_time", "cost", "total_cost", "retry_count", "failed_calls"}


def label(name: str) -> str:
    return LABELS.get(name) or name.replace("_", " ").capitalize()


def spelled(name: str, figure: Figure) -> str:
    """A figure for reading, with its unit: 12,345 · 3.4 % · $0.0123 · 1.4 s · 4.2 ★."""
    if figure is None:
        return NONE
    if isinstance(figure, str):
        return figure.capitalize() or NONE
    number = Decimal(figure)
    if name in DOLLARS:
        return f"${number:,.2f}" if number == 0 or abs(number) >= 1 else f"${_rounded(number, 4):f}"
    if name in MILLISECONDS:
        return _time(number / 1000)
    if name in SECONDS:
        return _time(number)
    if name in STARS:
        return f"{_rounded(number, 2):f} ★"
    if name.endswith("_rate"):
        return f"{_rounded(number, 1):f} %"
    return f"{number:,}" if number == number.to_integral_value() and isinstance(figure, int) else f"{_rounded(number, 2):,f}"


def _time(seconds: Decimal) -> str:
    if seconds < 60:
        return f"{_rounded(seconds, 1):f} s"
    minutes = int(seconds // 60)
    return f"{minutes:,} min" if minutes < 600 else f"{minutes // 60:,} h"


def _rounded(number: Decimal, places: int) -> Decimal:
    return number.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)


def change(now: Figure, before: Figure) -> Decimal | None:
    """In percent, whole; None where there is nothing to compare with."""
    if now is None or before is None or isinstance(now, str) or isinstance(before, str) or not before:
        return None
    return _rounded((Decimal(now) - Decimal(before)) * 100 / abs(Decimal(before)), 0)
