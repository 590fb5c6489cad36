"""What the owner's first page and the pages behind it show, read through `analytics`."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from analytics import series
from analytics.choices import Grain, Metric
from analytics.series import KPIS, TABLES, Breakdown, Figure, Point, Series
from analytics.windows import Window
from dashboards import figures
from tenants.models import Membership

SHORT = 5  # rows of a list on the first page

# What *analytics* counts while the day goes on, in the order of the page.
LIVE = {
    "active_users": "Active people",
    "logins": "Sessions",
    "ai_chat_messages_sent": "Questions asked",
    "ai_chat_sessions": "Sittings with the AI",
    "reports_viewed": "Reports read",
    "dashboard_visits": "Dashboard visits",
    "feature_uses": "Uses of features",
}


@dataclass(frozen=True, slots=True)
class Card:
    """A figure of the whole period, its change against the period before in percent, and where its rows are."""

    label: str
    value: str
    note: str
    change: Decimal | None
    is_good: bool
    metric: Metric
    by: str


@dataclass(frozen=True, slots=True)
class Cell:
    """A figure as it is read, and as a chart draws it; `number` is empty where nothing is known."""

    text: str
    number: str


@dataclass(frozen=True, slots=True)
class Line:
    """A day, week or month with its figures, or a row of a breakdown; `window` and `counted` say how much of it is known."""

    label: str
    cells: Sequence[Cell]
    window: Window | None = None
    is_counted: bool = True
    part: int = 0  # of the longest, in percent


@dataclass(frozen=True, slots=True)
class Chart:
    """One picture and its table: columns (label, colour) and lines."""

    name: str
    title: str
    total: str
    kind: str
    columns: Sequence[tuple[str, str]]
    lines: Sequence[Line]
    metric: Metric
    by: str


@dataclass(frozen=True, slots=True)
class Ranking:
    """The first rows of a breakdown."""

    title: str
    unit: str
    lines: Sequence[Line]
    metric: Metric
    by: str


@dataclass(frozen=True, slots=True)
class Kpi:
    label: str
    value: str
    reason: str


@dataclass(frozen=True, slots=True)
class Overview:
    """`is_empty` where no day of the period is counted."""

    cards: Sequence[Card]
    charts: Sequence[Chart]
    rankings: Sequence[Ranking]
    kpis: Sequence[Kpi]
    levels: Sequence[tuple[str, str]]
    counted: int
    is_empty: bool


@dataclass(frozen=True, slots=True)
class Sheet:
    """A metric as one table: its series, or its rows by something."""

    columns: Sequence[str]
    lines: Sequence[Line]
    total: Sequence[Cell]
    is_whole: bool


def overview(membership: Membership, *, window: Window, grain: Grain) -> Overview:
    """The whole first page. The membership came through `analytics.access`. Causes queries."""

    def read(metric: Metric) -> Series:
        return series.read(membership, metric, window=window, grain=grain, compare=True)

    people, chat, usage = read(Metric.ENGAGEMENT), read(Metric.CHAT), read(Metric.USAGE)
    impact, adoption = read(Metric.IMPACT).total, read(Metric.ADOPTION).total
    hours = series.break_down(membership, Metric.CHAT, window=window, by="hour")

    def ranking(title: str, metric: Metric, by: str, figure: str) -> Ranking:
        found = series.break_down(membership, metric, window=window, by=by)
        return Ranking(title, figures.label(figure), _ranked(found, figure)[:SHORT], metric, by)

    charts = (
        _chart("people", "Active people", "line", people, {"active_people": "accent"}, by="user"),
        _chart("questions", "Questions asked", "bar", people, {"ai_chat_messages_sent": "accent"}, by="user"),
        _chart("answers", "Answers", "bar", chat, {"answers": "accent", "failed_answers": "danger"}, by="user"),
        _chart("cost", "Cost of models", "bar", usage, {"cost": "accent"}, by="model"),
    )
    return Overview(
        cards=(
            _card(people, "active_people", by="user"),
            _card(people, "ai_chat_messages_sent", by="user"),
            _card(chat, "new_conversations", by="type"),
            _card(chat, "average_rating", "helpful_rate", by="user"),
            _card(chat, "average_response_time", by="user"),
            _card(chat, "failed_answers", "error_rate", by="user"),
            _card(usage, "total_tokens", by="model"),
            _card(usage, "cost", "unpriced_calls", by="model"),
        ),
        charts=(*charts, _hours(hours)) if hours.rows else charts,
        rankings=(
            ranking("Who asks most", Metric.ENGAGEMENT, "user", "ai_chat_messages_sent"),
            ranking("Models", Metric.USAGE, "model", "total_tokens"),
            ranking("What consultations are about", Metric.CHAT, "type", "total_conversations"),
            ranking("What is used", Metric.FEATURES, "feature", "total_uses"),
        ),
        kpis=[_kpi(name, impact) for name in KPIS],
        levels=[(figures.label(name), figures.spelled(name, figure)) for name, figure in _levels(adoption) if figure is not None],
        counted=people.total.counted,
        is_empty=all(found.total.figures is None for found in (people, chat, usage)),
    )


def sheet(membership: Membership, metric: Metric, *, window: Window, grain: Grain, by: str) -> Sheet:
    """Every figure of a metric, by day, week or month, or by something else."""
    if by:
        found = series.break_down(membership, metric, window=window, by=by)
        names = list(found.rows[0].figures) if found.rows else []
        rows = [Line(row.label, [_cell(name, row.figures.get(name)) for name in names]) for row in found.rows]
        return Sheet([figures.label(name) for name in names], rows, (), found.is_whole)
    read = series.read(membership, metric, window=window, grain=grain)
    names = [*TABLES[metric].figures]
    lines = [_line(point, names, grain) for point in read.points]
    return Sheet([figures.label(name) for name in names], lines, _line(read.total, names, grain).cells, True)


def spelled_period(window: Window, grain: Grain) -> str:
    """`7 Mar` for a day, `2 – 8 Mar` for a week, `Mar 2026` for a month; one that is cut says its days."""
    first, last = window.first, window.last
    if grain == Grain.MONTH and window.length >= 28:
        return f"{first:%b %Y}"
    if window.length == 1:
        return f"{first.day} {first:%b}"
    return f"{first.day} – {last.day} {last:%b}" if first.month == last.month else f"{first.day} {first:%b} – {last.day} {last:%b}"


def _figure(point: Point | None, name: str) -> Figure:
    return None if point is None or point.figures is None else point.figures.get(name)


def _card(found: Series, name: str, aside: str = "", *, by: str) -> Card:
    now, before = _figure(found.total, name), _figure(found.previous, name)
    note = _figure(found.total, aside) if aside else None
    change = figures.change(now, before)
    is_good = change is not None and (change > 0) != (name in figures.FEWER_IS_BETTER)
    said = f"{figures.label(aside)}: {figures.spelled(aside, note)}" if note else ""
    return Card(figures.label(name), figures.spelled(name, now), said, change, is_good, found.metric, by)


def _cell(name: str, figure: Figure) -> Cell:
    number = "" if figure is None or isinstance(figure, str) else f"{figure:f}" if isinstance(figure, Decimal) else str(figure)
    return Cell(figures.spelled(name, figure), number)


def _line(point: Point, names: Sequence[str], grain: Grain) -> Line:
    cells = [_cell(name, _figure(point, name)) for name in names]
    return Line(spelled_period(point.window, grain), cells, point.window, point.figures is not None)


def _chart(name: str, title: str, kind: str, found: Series, columns: dict[str, str], *, by: str) -> Chart:
    total = figures.spelled(next(iter(columns)), _figure(found.total, next(iter(columns))))
    shown = [(figures.label(column), colour) for column, colour in columns.items()]
    lines = [_line(point, [*columns], found.grain) for point in found.points]
    return Chart(name, title, total, kind, shown, lines, found.metric, by)


def _hours(found: Breakdown) -> Chart:
    known = {int(row.of["hour"]): row.figures["total_messages"] for row in found.rows}
    lines = [Line(f"{hour:02}", [_cell("total_messages", known.get(hour, 0))]) for hour in range(24)]
    return Chart("hours", "Messages by hour of the day, UTC", "", "bar", [("Messages", "accent")], lines, found.metric, "hour")


def _ranked(found: Breakdown, figure: str) -> list[Line]:
    rows = [(row.label, row.figures[figure]) for row in found.rows]
    most = max((Decimal(number or 0) for _, number in rows), default=Decimal(0))
    return [Line(label, [_cell(figure, number)], part=round(Decimal(number or 0) * 100 / most) if most else 0) for label, number in rows]


def _kpi(name: str, point: Point) -> Kpi:
    value = _figure(point, name)
    reason = "" if value is not None else point.reasons.get(name, "What it is made of is not there yet.")
    return Kpi(figures.label(name), figures.spelled(name, value), reason)


def _levels(point: Point) -> list[tuple[str, Figure]]:
    return [(name, _figure(point, name)) for name in TABLES[Metric.ADOPTION].levels]
