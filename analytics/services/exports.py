"""Figures as a file: CSV or a workbook, sent while it is read back."""

import csv
import io
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from decimal import Decimal

from xlsxwriter import Workbook

from analytics.choices import TableFormat
from analytics.series import TABLES, Breakdown, Point, Series
from chat.services.exports import PART, File
from tenants.models import Membership

MEDIA_TYPES = {
    TableFormat.CSV: "text/csv; charset=utf-8",
    TableFormat.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
ROWS_AT_ONCE = 500  # of CSV
WIDTH = 16  # of a column, in characters
# What a spreadsheet takes for a formula where a text begins with it.
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")

Cell = int | Decimal | date | str | None
Cells = Sequence[Cell]


def export(membership: Membership, read: Series | Breakdown, *, format: TableFormat) -> File:
    """Points or rows as a table with a line of names. The name of the file is made of what the organization cannot choose freely."""
    head, rows = _of_series(read) if isinstance(read, Series) else _of_breakdown(read)
    by = f"-by-{read.by}" if isinstance(read, Breakdown) else f"-by-{read.grain}"
    name = f"{membership.organization.slug}-{read.metric}{by}-{read.window.first}-to-{read.window.last}.{format}"
    parts = _csv(head, rows) if format == TableFormat.CSV else _xlsx(head, rows)
    return File(name=name, media_type=MEDIA_TYPES[format], parts=parts)


def _of_series(series: Series) -> tuple[list[str], Iterator[Cells]]:
    """Every point with the days of it that are counted; where none is, its figures are empty."""
    names = TABLES[series.metric].figures
    rows = (
        (point.window.first, point.window.last, point.counted, *((point.figures or {}).get(name) for name in names), _why(point))
        for point in series.points
    )
    return ["first_day", "last_day", "days_counted", *names, "reasons"], rows


def _why(point: Point) -> str:
    return "; ".join(f"{name}: {sentence}" for name, sentence in point.reasons.items())


def _of_breakdown(found: Breakdown) -> tuple[list[str], Iterator[Cells]]:
    if not found.rows:
        return ["name"], iter(())
    of, figures = found.rows[0].of, found.rows[0].figures
    rows = ((row.label, *row.of.values(), *(row.figures.get(name) for name in figures)) for row in found.rows)
    return ["name", *of, *figures], rows


def _csv(head: Sequence[str], rows: Iterable[Cells]) -> Iterator[bytes]:
    written = io.StringIO()
    writer = csv.writer(written)
    writer.writerow(head)
    for number, row in enumerate(rows, 1):
        writer.writerow([_harmless(cell) for cell in row])
        if number % ROWS_AT_ONCE == 0:
            yield written.getvalue().encode()
            written.seek(0)
            written.truncate()
    yield written.getvalue().encode()


def _harmless(cell: Cell) -> str:
    """A number is written as it is, so that it stays one; a text that a spreadsheet would calculate gets an apostrophe before it."""
    if isinstance(cell, str):
        return f"'{cell}" if cell.startswith(FORMULA) else cell
    return "" if cell is None else f"{cell:f}" if isinstance(cell, Decimal) else str(cell)


def _xlsx(head: Sequence[str], rows: Iterable[Cells]) -> Iterator[bytes]:
    """One row at a time is held; the file itself is on disk until it is sent. A text is always a text there, never a formula or a link."""
    with tempfile.TemporaryFile() as file:
        with Workbook(file, {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}) as book:
            sheet = book.add_worksheet("Figures")
            bold, day = book.add_format({"bold": True}), book.add_format({"num_format": "yyyy-mm-dd"})
            sheet.freeze_panes(1, 0)
            sheet.set_column(0, len(head) - 1, WIDTH)
            sheet.write_row(0, 0, head, bold)
            for number, row in enumerate(rows, 1):
                for column, cell in enumerate(row):
                    if isinstance(cell, date):
                        sheet.write_datetime(number, column, cell, day)
                    elif isinstance(cell, str):
                        sheet.write_string(number, column, cell)
                    elif cell is not None:
                        sheet.write_number(number, column, cell)
        file.seek(0)
        while part := file.read(PART):
            yield part
