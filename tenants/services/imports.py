"""A file of people into an organization: all of it, or nothing and a list of what is wrong."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from import_export.results import RowResult
from tablib import Dataset  # type: ignore[import-untyped]

from tenants.errors import TenantsError
from tenants.models import Organization
from tenants.resources import People, PeopleResource


class UnreadableFile(TenantsError):
    """The file is no table."""


@dataclass(frozen=True)
class RowProblem:
    """What is wrong with one row. `row` counts from 1, without the line of column names; `column` is empty where it is about all of it."""

    row: int
    column: str
    sentence: str


@dataclass(frozen=True)
class Imported:
    """What an import did, or would have done."""

    added: int
    changed: int
    unchanged: int
    problems: tuple[RowProblem, ...]

    @property
    def failed(self) -> bool:
        return bool(self.problems)


def read(content: bytes) -> Dataset:
    """The table in a CSV file. `UnreadableFile` where it is none."""
    try:
        dataset = People(encoding="utf-8-sig").create_dataset(content)
    except UnicodeDecodeError as error:
        raise UnreadableFile("The file is not UTF-8 text. Save it as “CSV UTF-8”.") from error
    except Exception as error:  # tablib raises whatever its readers raise
        raise UnreadableFile(f"The file is not a table of comma-separated values: {error}") from error
    if not dataset.headers or not len(dataset):
        raise UnreadableFile("The file has no rows. Its first line names the columns, each further line is a person.")
    return dataset


def import_people(
    organization: Organization,
    dataset: Dataset,
    *,
    dry_run: bool = False,
    create_places: bool = False,
    on_row: Callable[[], Any] | None = None,
) -> Imported:
    """Imports all rows, or none where one has a problem. `on_row` is called after each row."""
    resource = PeopleResource(organization=organization, create_places=create_places, on_row=(lambda result: on_row()) if on_row else None)
    result = resource.import_data(dataset, dry_run=dry_run, raise_errors=False, rollback_on_validation_errors=True)
    problems = [RowProblem(row=0, column="", sentence=str(error.error)) for error in result.base_errors]
    for number, errors in () if problems else result.row_errors():
        problems += [RowProblem(row=number, column="", sentence=str(error.error)) for error in errors]
    for invalid in () if result.base_errors else result.invalid_rows:
        problems += [
            RowProblem(row=invalid.number, column=column, sentence=sentence)
            for column, sentences in invalid.field_specific_errors.items()
            for sentence in sentences
        ]
        problems += [RowProblem(row=invalid.number, column="", sentence=sentence) for sentence in invalid.non_field_specific_errors]
    return Imported(
        added=result.totals[RowResult.IMPORT_TYPE_NEW],
        changed=result.totals[RowResult.IMPORT_TYPE_UPDATE],
        unchanged=result.totals[RowResult.IMPORT_TYPE_SKIP],
        problems=tuple(sorted(problems, key=lambda problem: problem.row)),
    )
