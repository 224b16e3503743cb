"""Run pg_restore on chosen entries of an archive."""

import re
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from shared.errors import ImportFailed, LoadInterrupted
from shared.postgres import process
from shared.postgres.archive import Archive
from shared.postgres.destination import Destination
from shared.postgres.diagnostics import Diagnostic, DiagnosticReader
from shared.postgres.discretion import discreet
from shared.postgres.options import ImportOptions
from shared.postgres.passfile import Passfile
from shared.postgres.server import APPLICATION_NAME
from shared.postgres.toc import Entry, python_codec
from shared.postgres.tolerance import Findings, describe, sort_out

_PROGRESS = re.compile(r"pg_restore: (?!error:|warning:|detail:|hint:)")
"""What pg_restore is doing; errors are logged without secrets, once they are read to their end."""
_IS_THERE = re.compile(
    r" already exists(?: in publication .*)?$|^multiple primary keys for table "
    r"| is already (?:a partition|member of publication)"
)
"""What a server says of something that is made a second time; Azure's servers say it in English."""


@dataclass(frozen=True)
class Feed:
    """What a pg_restore reads from a pipe."""

    name: str
    """For the log."""
    chunks: Callable[[threading.Event], Iterator[bytes]]
    """It is given an event that is set when pg_restore has ended."""


@dataclass(frozen=True)
class Restorer:
    """Runs pg_restore against one database."""

    archive: Archive
    destination: Destination
    missing_owners: frozenset[str]
    """As for `classify`."""
    options: ImportOptions
    absent: frozenset[int] = frozenset()
    """Dump ids of entries that earlier runs could not make and need not have made."""
    session: str = APPLICATION_NAME
    """What its sessions on the server are called."""
    again: bool = False
    """Whether an attempt that was ended may have made some of the entries already."""

    def run(
        self, entries: Sequence[Entry], archive: Path | Feed, *, jobs: int = 1, row_security: bool = False
    ) -> Findings:
        """Restore these entries in their order, from a local file or a pipe.

        With `row_security` queries see the rows that policies show; without they fail where a policy hides some.

        Raises:
            ImportFailed: statements failed that are not known to be harmless, or whose failure was not read.
            UnreadableFile: the archive is truncated or corrupt.
            TargetUnavailable: the server went away.
            LoadInterrupted: pg_restore was killed, or did not come to its end.
            DeadlinePassed: it took too long.
        """
        if not entries:
            return Findings()
        how = archive.name if isinstance(archive, Feed) else f"from {archive.name} with {jobs} jobs"
        self.destination.write(f"-- pg_restore: {len(entries)} entries, {how}")
        reader, failures = DiagnosticReader(), list[Diagnostic]()
        passfile = self._passfile(jobs)
        argv = self._command(entries, archive, jobs, passfile)
        argv += ["--enable-row-security"] if row_security else []
        feed = archive if isinstance(archive, Feed) else None
        exit_code = self._run(argv, reader, failures, feed=feed, passfile=passfile)
        if exit_code < 0:
            raise LoadInterrupted(f"pg_restore was ended by signal {-exit_code}")
        found = [failure for failure in failures if not (self.again and _IS_THERE.search(failure.message))]
        findings = sort_out(found, self.missing_owners, entries, self.options, self.absent)
        if exit_code != 0 and not reader.counted:
            said = "did not come to its end" if failures else "said nothing"
            raise LoadInterrupted(f"pg_restore ended with exit code {exit_code} and {said}")
        if reader.missed:
            text = f"pg_restore counted {reader.missed} failure(s) more than can be read in what it said: see the log"
            raise ImportFailed(text, details=[describe(failure) for failure in failures])
        return findings

    def _passfile(self, jobs: int) -> Passfile | None:
        """Only a parallel pg_restore connects late, and only tokens end; a libpq before 14 reads no long lines."""
        server, version = self.destination.server, self.archive.toolbox.pg_restore.version
        late = jobs > 1 and not isinstance(server.password, SecretStr) and version >= (14, 0)
        return Passfile(self.destination.folder, server) if late else None

    def _command(
        self, entries: Sequence[Entry], archive: Path | Feed, jobs: int, passfile: Passfile | None
    ) -> list[str | Path]:
        dbname = self.destination.dbname
        wanted = self.destination.folder / "entries"
        wanted.write_text("".join(f"{entry.dump_id}\n" for entry in entries))
        return [
            self.archive.toolbox.pg_restore.path,
            "--verbose",  # only then does it name the entry of an error
            "--no-password",
            "--no-tablespaces",
            *([] if self.options.owners else ["--no-owner"]),
            f"--format={self.archive.format}",
            f"--use-list={wanted}",
            f"--dbname={passfile.conninfo(dbname) if passfile else dbname}",
            *([f"--jobs={jobs}"] if jobs > 1 else []),
            *([archive] if isinstance(archive, Path) else []),
        ]

    def _run(
        self,
        argv: Sequence[str | Path],
        reader: DiagnosticReader,
        failures: list[Diagnostic],
        *,
        feed: Feed | None,
        passfile: Passfile | None,
    ) -> int:
        def still_wanted() -> None:
            self.destination.still_wanted()
            if passfile:
                passfile.renew()

        def on_line(line: str) -> None:
            keep(reader.feed(line))
            if _PROGRESS.match(line):
                self.destination.write(line)

        def keep(said: Diagnostic | None) -> None:
            if said:
                diagnostic = discreet(said)
                self.destination.write(str(diagnostic))
                failures.extend([diagnostic] if diagnostic.failed else [])

        ended = threading.Event()
        exit_code = process.run(
            argv,
            environment=self.destination.server.environment(
                self.destination.dbname,
                settings=self.destination.settings,
                application_name=self.session,
            ),
            feed=feed.chunks(ended) if feed else None,
            ended=ended,
            on_stderr=on_line,
            timeout_seconds=self.destination.deadline.left(),
            still_wanted=still_wanted,
            codec=python_codec(self.archive.encoding),
        )
        keep(reader.close())
        return exit_code
