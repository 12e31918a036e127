"""Tables as text, one record a line, read strictly: what is broken is refused with its line, nothing is repaired."""

import csv
import re
from pathlib import Path

from partreid.errors import UserError

Record = tuple[int, dict[str, str]]  # line, from 1; column -> cell, without blanks around it


def read(path: Path, delimiters: str = ",") -> tuple[list[str], list[Record]]:
    """Column names and records of a UTF-8 file (with or without a byte order mark); empty lines are passed over.

    delimiters: possible ones; the one that the first line has most of is taken. UserError, with the line, for a file
    that is not UTF-8, a quote that is not closed in its line (so also a cell with a line break, which would swallow
    records), text behind a closing quote, and a record with more or fewer cells than columns.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path.name} is not UTF-8 ({error}); save it as CSV UTF-8") from error
    lines = re.split(r"\r\n|\n|\r", text)
    delimiter = max(delimiters, key=lines[0].count)
    columns = _cells(lines[0], delimiter, f"{path.name} line 1")
    records = []
    for number, line in enumerate(lines[1:], 2):
        where = f"{path.name} line {number}"
        cells = _cells(line, delimiter, where)
        if not any(cells):
            continue
        if len(cells) > len(columns):
            raise UserError(f"{where}: more values than columns; put a value that holds {delimiter!r} in double quotes")
        if len(cells) < len(columns):
            raise UserError(
                f"{where} has {len(cells)} values, expected {len(columns)}, one a column ({', '.join(columns)}); is "
                "the file cut?"
            )
        records.append((number, dict(zip(columns, cells, strict=True))))
    return columns, records


def _cells(line: str, delimiter: str, where: str) -> list[str]:
    try:
        found = next(csv.reader([line], delimiter=delimiter, skipinitialspace=True, strict=True), [])
    except csv.Error as error:
        if "unexpected end of data" in str(error):
            raise UserError(
                f"{where}: a quote opens that is not closed in its line; close it, or take the line break out of the "
                'value (a quote inside a quoted value is written twice, "")'
            ) from error
        raise UserError(f"{where}: {error}; put a value that holds a quote in quotes, its quote doubled") from error
    return [cell.strip() for cell in found]
