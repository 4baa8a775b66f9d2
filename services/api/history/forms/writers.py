"""Which function writes each form, and the parameters by which a client chooses one.

It refuses a form without a writer: the completeness test holds this mapping against the enum.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from pydantic import Field

from services.api.history.forms import arrow, text
from services.api.history.forms.negotiation import Form
from services.api.history.forms.table import Table
from services.api.history.forms.text import TimeForm
from services.api.parameters import Parameters

Writer = Callable[[Table, TimeForm], Iterator[bytes]]


def _whole(write: Callable[[Table, TimeForm], bytes]) -> Writer:
    def pieces(table: Table, form: TimeForm) -> Iterator[bytes]:
        yield write(table, form)

    return pieces


WRITERS: Final[Mapping[Form, Writer]] = {
    Form.JSON: _whole(text.by_columns),
    Form.ROWS: _whole(text.by_rows),
    Form.NDJSON: text.ndjson,
    Form.CSV: text.csv,
    Form.ARROW: arrow.stream,
    Form.PARQUET: arrow.parquet,
}
"""Form of a table -> what writes it, piece by piece."""

NEEDS_ARROW: Final = frozenset({Form.ARROW, Form.PARQUET})


class FormParameters(Parameters):
    """In which form."""

    format: Form | None = Field(
        None,
        description="json (by columns), rows (JSON by rows), ndjson, csv, arrow (IPC stream) or parquet; goes before "
        "the header Accept.",
        examples=["csv"],
    )
    times: TimeForm = Field(
        TimeForm.ISO,
        description="How times are written: iso (RFC 3339 in UTC), or numbers since 1970: epoch_s, epoch_ms, epoch_us.",
    )


def written(table: Table, form: Form, times: TimeForm) -> Iterator[bytes]:
    """The pieces of a table's form.

    Raises:
        FormMissing: the form needs a package that is not installed.
    """
    if form in NEEDS_ARROW:
        arrow.require(form)
    return WRITERS[form](table, times)
