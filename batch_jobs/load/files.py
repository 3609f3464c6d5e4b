"""The five files of the set: found, checked at their edges, and read in blocks of whole rows."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from batch_jobs.transforms import labels
from batch_jobs.transforms.kaggle import Parsed, file_columns, parse_block, parse_columns
from finlake.errors import FinlakeError, UsageProblem
from lakehouse_schemas import contracts
from lakehouse_schemas.model import Contract

__all__ = ["FILES", "LABELS", "Block", "SourceFile", "open_set"]

BLOCK_BYTES = 4 * 2**20
_EDGE_BYTES = 64 * 2**10

LABELS = "train_fraud_labels.json"
FILES = {  # in the order of loading: what is referred to goes first
    "mcc_codes.json": "mcc_codes",
    "users_data.csv": "users",
    "cards_data.csv": "cards",
    "transactions_data.csv": "transactions",
    LABELS: "fraud_labels",
}


@dataclass(frozen=True)
class Block:
    """Whole rows of a file; ``end`` is the byte behind them."""

    data: bytes
    first_line: int
    end: int


class SourceFile(ABC):
    """One file and how it is read; ``begin`` and ``end`` are the bytes of its rows."""

    begin: int
    end: int
    first_line: int

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = path.name
        self.contract: Contract = contracts.get(f"source.{FILES[path.name]}")
        self.size = path.stat().st_size
        with path.open("rb") as file:
            self._head = file.read(_EDGE_BYTES)
            file.seek(max(0, self.size - _EDGE_BYTES))
            self._tail = file.read()
        edges = hashlib.sha256(self._head + self._tail)
        edges.update(f"{self.name} {self.size}".encode())
        self.fingerprint = edges.hexdigest()

    @abstractmethod
    def blocks(self, position: int, line: int) -> Iterator[Block]:
        """The rows from that byte and line on."""

    @abstractmethod
    def parse(self, block: Block) -> Parsed:
        """The block's rows.

        Raises:
            FinlakeError: the file is broken as a whole.
        """


class _Csv(SourceFile):
    def __init__(self, path: Path) -> None:
        super().__init__(path)
        first, _, _ = self._head.partition(b"\n")
        found = first.decode("utf-8-sig", "replace").strip().split(",")
        expected = list(file_columns(self.contract))
        if found != expected:
            raise FinlakeError(f"{path}: line 1: {_header_problem(found, expected)}")
        self.begin, self.end, self.first_line = min(len(first) + 1, self.size), self.size, 2

    def blocks(self, position: int, line: int) -> Iterator[Block]:
        with self.path.open("rb") as file:
            file.seek(position)
            while data := file.read(BLOCK_BYTES):
                data += file.readline()
                yield Block(data, line, file.tell())
                line += data.count(b"\n")

    def parse(self, block: Block) -> Parsed:
        return parse_block(self.contract, block.data, block.first_line)


def _header_problem(found: list[str], expected: list[str]) -> str:
    missing = [name for name in expected if name not in found]
    unknown = [name for name in found if name not in expected]
    if missing:
        problem = f"the header lacks {', '.join(missing)}"
    elif unknown:  # shortened: without a header this is a row, whose values are not shown
        problem = f"the header has {len(unknown)} unknown columns"
    else:
        problem = "the header's columns stand in another order"
    return f"{problem}; it must be {','.join(expected)}"


class _Labels(SourceFile):
    def __init__(self, path: Path) -> None:
        super().__init__(path)
        try:
            self.begin, self.end = labels.body(self._head, self._tail, self.size)
        except labels.BrokenJson as error:
            raise FinlakeError(f"{path}: broken JSON: {error}; get the file again") from None
        self.first_line = 1

    def blocks(self, position: int, line: int) -> Iterator[Block]:
        with self.path.open("rb") as file:
            file.seek(position)
            while position < self.end:
                data = self._whole_entries(file, min(BLOCK_BYTES, self.end - position))
                position += len(data)
                last = position >= self.end  # a comma before the end is no JSON: parse sees it
                yield Block(data if last else data.removesuffix(b","), line, position)
                line += data.count(b",")

    def _whole_entries(self, file: BinaryIO, size: int) -> bytes:
        """``size`` bytes and what is left of the last entry, with the comma behind it."""
        data = file.read(size)
        while not data.endswith(b",") and file.tell() < self.end:
            more = file.read(min(256, self.end - file.tell()))
            comma = more.find(b",")
            if comma >= 0:
                file.seek(comma + 1 - len(more), 1)
                more = more[: comma + 1]
            data += more
        return data

    def parse(self, block: Block) -> Parsed:
        try:
            return labels.parse_entries(self.contract, block.data, block.first_line)
        except labels.BrokenJson as error:
            raise FinlakeError(
                f"{self.path}: broken JSON before byte {block.end}: {error}; get the file again"
            ) from None


class _Categories(SourceFile):
    """``mcc_codes.json`` is small: one block."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.begin, self.end, self.first_line = 0, self.size, 1
        self.parse(Block(path.read_bytes(), 1, self.size))

    def blocks(self, position: int, line: int) -> Iterator[Block]:
        if position < self.end:
            yield Block(self.path.read_bytes(), line, self.end)

    def parse(self, block: Block) -> Parsed:
        try:
            codes = json.loads(block.data)
        except ValueError as error:
            raise FinlakeError(f"{self.path}: broken JSON: {error}; get the file again") from None
        if not isinstance(codes, dict) or not all(isinstance(v, str) for v in codes.values()):
            raise FinlakeError(f'{self.path}: is not an object such as {{"5812": "Restaurants"}}')
        columns = {"mcc": pa.array(codes, pa.string()), "description": pa.array(codes.values())}
        return parse_columns(self.contract, columns, block.first_line)


_KINDS: dict[str, type[SourceFile]] = {"mcc_codes.json": _Categories, LABELS: _Labels}


def open_set(folder: Path) -> list[SourceFile]:
    """All files of the folder in the order of loading, each checked at its edges.

    The labels' file may be missing, the others not.

    Raises:
        UsageProblem: there is no such folder, or a file is missing.
        FinlakeError: a file has a wrong header or is broken JSON.
    """
    if not folder.is_dir():
        raise UsageProblem(f"{folder} is not a folder")
    missing = [name for name in FILES if name != LABELS and not (folder / name).is_file()]
    if missing:
        raise UsageProblem(f"{folder} lacks {', '.join(missing)}; nothing was loaded")
    try:
        return [
            _KINDS.get(name, _Csv)(folder / name) for name in FILES if (folder / name).is_file()
        ]
    except OSError as error:
        raise FinlakeError(f"{error.filename}: cannot be read ({error.strerror})") from None
