"""Jobs in, rows of a crash-safe SQLite store out, with states, results and history."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from seqforge.base.atomic_files import open_own
from seqforge.base.file_locks import held
from seqforge.base.folders import disk_errors, make_folder, write_atomically
from seqforge.domains.genome.ebi.errors import fate_unknown, renamed
from seqforge.domains.genome.similarity.hits import from_json
from seqforge.errors import RunError

_PRIMARY = 0xFF  # the last byte of an extended code is the primary code
_LOCKED = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR}
_FORBIDDEN = {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM}


@contextmanager
def store_errors(path: Path) -> Iterator[None]:
    """Turn SQLite's errors on the store at ``path`` into a RunError of one sentence.

    Raises:
        RunError: If the store is locked or damaged, or the disk is full or not writable.
    """
    try:
        yield
    except (sqlite3.Error, UnicodeDecodeError) as error:  # the latter for names in its schema
        raise RunError(f"{path}: {_sentence(error)}") from error


def damaged(path: Path, key: str, what: str) -> RunError:
    """The error for a damaged row."""
    return RunError(
        f"{path}: cannot be used as a store of searches (the search {key[:12]} is damaged: "
        f"{what}); move it away or give another --out"
    )


def _sentence(error: Exception) -> str:
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & _PRIMARY
    if code in _LOCKED:
        return (
            f"is locked by another program ({error}); close what has it open, and run again to "
            "go on"
        )
    if code == sqlite3.SQLITE_FULL:
        return f"the disk is full ({error}); free some space and run again to go on"
    if code in _FORBIDDEN:
        return f"cannot be opened or written ({error}); look at its rights, or give another --out"
    if code in _DAMAGED or isinstance(error, sqlite3.DataError):
        return (
            f"cannot be used as a store of searches, it is damaged ({error}); move it away or "
            "give another --out"
        )
    return f"cannot be read or written ({error}); look at the disk and run again to go on"


JobState = Literal["planned", "submitting", "running", "finished", "failed", "unknown", "expired"]

NEXT: Mapping[JobState, frozenset[JobState]] = {
    "planned": frozenset({"submitting"}),
    "submitting": frozenset({"planned", "running", "unknown"}),
    "running": frozenset({"finished", "failed", "expired"}),
    "finished": frozenset({"failed"}),  # if its stored result is damaged
    "failed": frozenset({"planned"}),
    "unknown": frozenset({"planned"}),
    "expired": frozenset({"planned"}),
}
"""The states that each can become."""

COLUMNS = "key, service, query, form, state, job_id, submitted, note, result"


@dataclass(frozen=True)
class Job:
    """A search in its present state."""

    key: str
    service: str
    query: str
    """The query's name, at first that of the search which added it."""
    form: dict[str, Any]
    state: JobState
    job_id: str | None
    submitted: float | None
    """Time of submission, in seconds since 1970."""
    note: str
    """A sentence on the last failure, else empty."""
    result: dict[str, Any] | None
    """None if unfinished, or if the stored result cannot be read."""


def job_of_row(path: Path, row: Sequence[Any]) -> Job:
    """A row of `COLUMNS` in, its search out.

    Raises:
        RunError: If the row is damaged. A damaged result gives None: it can be made again.
    """
    key, service, query, form_text, state, job_id, submitted, note, result = row
    for name, value in (("key", key), ("service", service), ("query", query), ("note", note)):
        if not isinstance(value, str):
            raise damaged(path, str(key), f"its {name} is no text")
    if state not in NEXT:
        raise damaged(path, key, f"its state is {state!r}")
    form = _document(form_text)
    if form is None or not all(map(_is_value, form.values())):
        raise damaged(path, key, "its form cannot be read")
    if not isinstance(job_id, str | None) or not isinstance(submitted, float | int | None):
        raise damaged(path, key, "its job's id or date cannot be read")
    if state == "running" and not job_id:
        raise damaged(path, key, "it runs, and has no job's id")
    return Job(
        key, service, query, form, state, job_id, submitted, note,
        None if result is None else _document(result),
    )  # fmt: skip


def is_result(document: dict[str, Any] | None) -> bool:
    """Whether a document is `to_json` of one result."""
    try:
        return document is not None and len(from_json(document)) == 1
    except (LookupError, TypeError, ValueError, AttributeError):
        return False


def _document(text: object) -> dict[str, Any] | None:
    """A text in, its JSON object out; None if there is none."""
    if not isinstance(text, str | bytes):
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _is_value(value: object) -> bool:
    """Whether a form can hold this value: a text or a list of texts."""
    several = value if isinstance(value, list) else [value]
    return all(isinstance(each, str) for each in several)


_FORMAT = 1
_TABLES = """
CREATE TABLE IF NOT EXISTS jobs (
    key TEXT PRIMARY KEY,
    service TEXT NOT NULL,
    query TEXT NOT NULL,
    form TEXT NOT NULL,
    state TEXT NOT NULL,
    job_id TEXT,
    submitted REAL,
    note TEXT NOT NULL DEFAULT '',
    result TEXT
);
CREATE TABLE IF NOT EXISTS history (
    at REAL NOT NULL, key TEXT NOT NULL, state TEXT NOT NULL, job_id TEXT, note TEXT NOT NULL
);
"""
_BUSY_SECONDS = 30.0  # another program may be reading or copying the file
_ID = ".submitted"
_SUFFIXES = {"json": ".json", "xml": ".xml", "out": ".txt"}


class JobStore:
    """Store of the searches of one folder, locked by one process at a time.

    Args:
        path: The SQLite file; raw replies go to the folder ``raw`` beside it.
        clock: Seconds since 1970.

    Raises:
        RunError: If another process has locked it, the disk fails, or it is not such a store.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self.path, self._clock = path, clock
        self._raw = path.parent / "raw"
        make_folder(path.parent)
        busy = f"{path}: another seqforge is searching with it; wait for it, or give another --out"
        with ExitStack() as stack:
            stack.enter_context(held(path.with_name(path.name + ".lock"), busy))
            with disk_errors(path), suppress(FileNotFoundError):
                open_own(path).close()  # else a link could lead to another store
            with store_errors(path):
                self._db = sqlite3.connect(path, isolation_level=None, timeout=_BUSY_SECONDS)
            stack.callback(self._db.close)
            self._open()
            self._open_ones = stack.pop_all()

    def _check_own(self) -> None:
        """Refuse another program's database before changing anything in it."""
        tables = {name for (name,) in self._db.execute("SELECT name FROM sqlite_master")}
        if not {name for name in tables if not name.startswith("sqlite_")} <= {"jobs", "history"}:
            raise RunError(
                f"{self.path}: is a database of another program; move it, or give another --out"
            )

    def _open(self) -> None:
        with store_errors(self.path):
            self._check_own()
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")  # commits survive a power failure
            found = self._db.execute("PRAGMA user_version").fetchone()[0]
            if found not in {0, _FORMAT}:
                raise RunError(
                    f"{self.path}: is of a newer seqforge (format {found}, not {_FORMAT}); "
                    "update, or give another --out"
                )
            self._db.executescript(_TABLES + f"PRAGMA user_version = {_FORMAT};")
        for job in self.jobs("submitting"):
            kept = self._kept_id(job.key)
            if kept:
                self.move(job.key, "running", job_id=kept, note="its id was kept in a file")
            else:
                self.move(job.key, "unknown", note=fate_unknown("seqforge was stopped", job.query))
        with disk_errors(self._raw):  # an old id must not be taken for that of a later submission
            for job in self.jobs():
                (self._raw / f"{job.key}{_ID}").unlink(missing_ok=True)

    def close(self) -> None:
        """Close the database and release the lock; everything is on disk already."""
        self._open_ones.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def plan(self, key: str, service: str, query: str, form: Mapping[str, Any]) -> Job:
        """Add a search before anything is sent; an existing one stays as it is."""
        with self._transaction():
            cursor = self._db.execute(
                "INSERT OR IGNORE INTO jobs (key, service, query, form, state) "
                "VALUES (?, ?, ?, ?, 'planned')",
                (key, service, query, json.dumps(form)),
            )
            if cursor.rowcount:
                self._note(key, "planned", None, "")
        return self.job(key)

    def rename(self, key: str, query: str) -> Job:
        """Give a search its query's present name, also in its note."""
        now = self.job(key)
        note = renamed(now.note, now.query, query)
        with self._transaction():
            self._db.execute(
                "UPDATE jobs SET query = ?, note = ? WHERE key = ?", (query, note, key)
            )
        return self.job(key)

    def job(self, key: str) -> Job:
        """A key in, its search out.

        Raises:
            KeyError: If there is none.
        """
        found = next(self._jobs("WHERE key = ?", key), None)
        if found is None:
            if any(self._jobs("NOT INDEXED WHERE key = ?", key)):
                raise damaged(self.path, key, "the index does not know it")
            raise KeyError(key)
        return found

    def jobs(self, state: JobState | None = None) -> list[Job]:
        """The searches in a state, or all, in the order of planning."""
        if state is None:
            return list(self._jobs("ORDER BY rowid"))
        return list(self._jobs("WHERE state = ? ORDER BY rowid", state))

    def states(self) -> dict[str, JobState]:
        """The state of every search, by key."""
        with store_errors(self.path):
            return dict(self._db.execute("SELECT key, state FROM jobs ORDER BY rowid"))

    def move(
        self,
        key: str,
        state: JobState,
        *,
        job_id: str | None = None,
        note: str = "",
        result: Mapping[str, Any] | None = None,
    ) -> Job:
        """Change the state of a search in one transaction, which is on disk on return.

        A search that becomes ``planned`` again loses its job id; the history keeps it.

        Raises:
            ValueError: If `NEXT` has no such transition.
        """
        with self._transaction():
            now = self.job(key)
            if state not in NEXT[now.state]:
                raise ValueError(f"a search that is {now.state} does not become {state}")
            kept = None if state == "planned" else job_id or now.job_id
            submitted = self._clock() if state == "running" else now.submitted
            self._db.execute(
                "UPDATE jobs SET state = ?, job_id = ?, submitted = ?, note = ?, result = ? "
                "WHERE key = ?",
                (
                    state,
                    kept,
                    None if state == "planned" else submitted,
                    note,
                    None if result is None else json.dumps(result),
                    key,
                ),
            )
            self._note(key, state, job_id or now.job_id, note)
        return self.job(key)

    def history(self, key: str) -> list[tuple[str, str | None, str]]:
        """The states of a search with job id and note, oldest first."""
        with store_errors(self.path):
            rows = self._db.execute(
                "SELECT state, job_id, note FROM history WHERE key = ? ORDER BY rowid", (key,)
            )
            return [(state, job_id, note) for state, job_id, note in rows]

    def mend(self, key: str, result: Mapping[str, Any]) -> Job:
        """Replace the unreadable result of a finished search."""
        with self._transaction():
            self._db.execute(
                "UPDATE jobs SET result = ? WHERE key = ? AND state = 'finished'",
                (json.dumps(result), key),
            )
            self._note(key, "finished", None, "read again from the raw reply")
        return self.job(key)

    def keep_id(self, key: str, job_id: str) -> bool:
        """Write a job id to a file of its own; returns whether that succeeded.

        Used when the database cannot be written. The store adopts the id when it is next opened.
        """
        try:
            make_folder(self._raw)
            write_atomically(self._raw / f"{key}{_ID}", job_id.encode())
        except RunError:
            return False
        return True

    def _kept_id(self, key: str) -> str:
        path = self._raw / f"{key}{_ID}"
        with disk_errors(path):
            return path.read_text("ascii", "replace").strip() if path.exists() else ""

    def keep_raw(self, job_id: str, kind: str, body: bytes) -> Path:
        """Write a raw reply atomically; returns its path.

        Raises:
            RunError: If the disk refuses.
        """
        path = self._raw_path(job_id, kind)
        make_folder(self._raw)
        write_atomically(path, body)
        return path

    def raw(self, job_id: str, kind: str) -> bytes | None:
        """A stored raw reply; None if there is none."""
        path = self._raw_path(job_id, kind)
        with disk_errors(path):
            return path.read_bytes() if path.exists() else None

    def _raw_path(self, job_id: str, kind: str) -> Path:
        return self._raw / f"{job_id}{_SUFFIXES[kind]}"

    def _jobs(self, where: str, *values: str) -> Iterator[Job]:
        with store_errors(self.path):
            rows = self._db.execute(f"SELECT {COLUMNS} FROM jobs {where}", values).fetchall()
        for row in rows:
            yield job_of_row(self.path, row)

    def _note(self, key: str, state: str, job_id: str | None, note: str) -> None:
        self._db.execute(
            "INSERT INTO history VALUES (?, ?, ?, ?, ?)", (self._clock(), key, state, job_id, note)
        )

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """A transaction: all or nothing, on disk at the end.

        Raises:
            RunError: If it cannot be written; it is rolled back.
        """
        with store_errors(self.path):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:  # on a full disk SQLite may have rolled back already
                    self._db.execute("ROLLBACK")
                raise
