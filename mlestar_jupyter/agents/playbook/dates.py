"""Dates in tables: in which form they are written."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


def date_format(values: pd.Series) -> str:
    """The strptime form that reads all of these dates, else ``mixed``."""
    import pandas as pd

    if pd.api.types.is_datetime64_any_dtype(values):
        return "ISO8601"
    texts = values.dropna().astype(str).iloc[:2_000]
    forms = ["ISO8601", "%m/%d/%Y", "%d/%m/%Y", "%d.%m.%Y", "%m/%d/%y", "%d-%m-%Y", "%m-%d-%Y"]
    forms += ["%m/%d/%Y %H:%M", "%d/%m/%Y %H:%M", "%m/%d/%Y %H:%M:%S", "%d/%m/%Y %H:%M:%S"]
    forms += ["%d.%m.%Y %H:%M", "%Y/%m/%d", "%Y/%m/%d %H:%M:%S", "%d-%b-%Y", "%b %d, %Y"]
    for form in forms:
        if parse_dates(texts, form).notna().all():
            return form
    return "mixed"


def parse_dates(values: pd.Series, form: str) -> pd.Series:
    """Dates as moments; what is no date in this form is missing."""
    import pandas as pd

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pd.to_datetime(values, format=form, errors="coerce", utc=True)
