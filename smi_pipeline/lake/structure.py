"""What the stored payloads of a month are made of: the paths that occur in them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from typing import Any

import duckdb


def payload_paths(cursor: duckdb.DuckDBPyConnection, table: str, first: date, last: date) -> list[str]:
    """Where the payloads of a raw table have values, in the finished collections of `first` to `last`, sorted.

    A step into the elements of a list is written `[]`: `attachments.data[].media_type`.
    """
    row = cursor.execute(
        f"select json_group_structure(payload)::varchar from {table} where month between $1 and $2"
        " and collection_id in (select collection_id from raw.collection where status = 'finished')",
        [first, last],
    ).fetchone()
    return sorted(_leaves(json.loads(row[0]), "")) if row is not None and row[0] is not None else []


def _leaves(structure: Any, path: str) -> Iterator[str]:
    if isinstance(structure, dict):
        for name, inside in structure.items():
            yield from _leaves(inside, f"{path}.{name}" if path else name)
    elif isinstance(structure, list) and structure and isinstance(structure[0], dict | list):
        yield from _leaves(structure[0], f"{path}[]")
    else:
        yield path
