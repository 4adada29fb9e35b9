"""Finished jobs on the disk: a restart of the service forgets none of them, their bytes and their age are bounded."""

import json
import sqlite3
import threading
import time
from pathlib import Path

from gentra_lora.errors import InputError
from gentra_lora.pictures.record import request_of
from gentra_lora.service.jobs.job import Job

TABLE = """CREATE TABLE IF NOT EXISTS jobs (
    id TEXT PRIMARY KEY, ended REAL NOT NULL, bytes INTEGER NOT NULL, job TEXT NOT NULL
) WITHOUT ROWID"""
SECONDS_TO_WAIT = 10.0  # for another service that writes into the same folder


class JobStore:
    """Jobs that are done, in jobs.sqlite, their PNGs beside it. Safe for any thread, and for several services.

    A job is there as a whole or not at all, whatever kills the process.
    """

    def __init__(self, folder: Path, most_bytes: int, seconds: float) -> None:
        """Open the folder, or make it, for its owner alone.

        Args:
            most_bytes: of the PNGs; the oldest jobs are forgotten first.
            seconds: after which a job is forgotten.

        Raises:
            InputError: it cannot be used.
        """
        self.folder, self.most_bytes, self.seconds = folder, most_bytes, seconds
        self._lock = threading.Lock()
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._database = sqlite3.connect(
                folder / "jobs.sqlite", SECONDS_TO_WAIT, isolation_level=None, check_same_thread=False
            )
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = NORMAL")  # no wait for the disk at each job
            self._database.execute(TABLE)
            self._remove_strays()
        except (OSError, sqlite3.Error) as error:
            raise InputError(f"jobs_dir: {folder} cannot be used ({error}); name another folder") from error

    def keep(self, job: Job) -> None:
        """Write a job that has its PNGs, and forget those that are too old or too much.

        Raises:
            OSError, sqlite3.Error: it cannot be written; nothing of it stays.
        """
        values = {"records": job.records, "warnings": job.warnings, "timings": job.timings}
        row = job.id, time.time(), sum(map(len, job.pngs)), json.dumps(values)
        paths = [self._path(job.id, index) for index in range(len(job.pngs))]
        # Files are written and removed while the database is locked: no other service takes them for strays.
        try:
            with self._lock, self._database:
                self._database.execute("BEGIN IMMEDIATE")
                for path, png in zip(paths, job.pngs, strict=True):
                    path.write_bytes(png)
                self._database.execute("INSERT INTO jobs VALUES (?, ?, ?, ?)", row)
                self._forget_old()
        except BaseException:
            for path in paths:
                path.unlink(missing_ok=True)
            raise

    def find(self, job_id: str) -> Job | None:
        """Return a job as it ended, or None.

        Raises:
            OSError, sqlite3.Error: it cannot be read.
        """
        with self._lock:
            query = "SELECT bytes, job FROM jobs WHERE id = ? AND ended > ?"
            row = self._database.execute(query, (job_id, time.time() - self.seconds)).fetchone()
        if row is None:
            return None
        values = json.loads(row[1])
        job = Job([request_of(record) for record in values["records"]], 0, values["warnings"])
        job.id, job.records, job.timings = job_id, values["records"], values["timings"]
        try:
            job.pngs = [self._path(job_id, index).read_bytes() for index in range(len(job.records))]
        except FileNotFoundError:  # a person removed it
            return None
        if sum(map(len, job.pngs)) != row[0]:  # the machine lost its power
            return None
        job.pictures, job.taken = [], [request.steps_run for request in job.requests]
        job.end("done")
        return job

    def forget(self, job: Job) -> None:
        """Remove a job."""
        with self._lock, self._database:
            self._database.execute("BEGIN IMMEDIATE")
            self._remove(job.id)

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self._database.close()

    def _forget_old(self) -> None:
        total, oldest = 0, time.time() - self.seconds
        for job_id, ended, size in self._database.execute(
            "SELECT id, ended, bytes FROM jobs ORDER BY ended DESC"
        ).fetchall():
            total += size
            if ended <= oldest or total > self.most_bytes:
                self._remove(job_id)

    def _remove(self, job_id: str) -> None:
        self._database.execute("DELETE FROM jobs WHERE id = ?", (job_id,))
        for path in self.folder.glob(f"{job_id}.*.png"):
            path.unlink(missing_ok=True)

    def _remove_strays(self) -> None:
        """Remove what is too old, and the files of a job that a killed process did not write as a whole."""
        with self._lock, self._database:
            self._database.execute("BEGIN IMMEDIATE")
            self._forget_old()
            known = {job_id for (job_id,) in self._database.execute("SELECT id FROM jobs")}
            for path in self.folder.glob("*.*.png"):
                if path.name.split(".")[0] not in known:
                    path.unlink(missing_ok=True)

    def _path(self, job_id: str, index: int) -> Path:
        return self.folder / f"{job_id}.{index}.png"
