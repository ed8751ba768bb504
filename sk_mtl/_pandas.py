"""pandas, which only those need who ask for a table."""

from __future__ import annotations

from typing import Any


def import_pandas(user: str) -> Any:
    try:
        import pandas as pd
    except ImportError as error:
        raise ImportError(
            f"{user} makes a DataFrame. Install pandas: pip install pandas"
        ) from error
    return pd
