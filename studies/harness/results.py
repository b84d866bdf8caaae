"""What a study leaves: a table, a chart and a JSON document, each with what it takes
to make it again. The same evaluations give the same bytes, but for the date."""

import datetime
import json
import os
import platform
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from harness import charts, files, tables


@dataclass
class Findings:
    """What a study found. `columns` come before the shared ones of the table, whose
    `units` stand above it; `document` takes the place of the table in the JSON
    document."""

    title: str
    rows: list
    columns: list
    panels: list
    across: int = 2
    own_legends: bool = False
    notes: list = field(default_factory=list)
    document: dict | None = None
    shared: list = field(default_factory=lambda: list(tables.MEASURED))
    units: str = tables.UNITS

    @property
    def all_columns(self):
        return self.columns + self.shared

    def table(self):
        """The rows with the table's columns only."""
        return [{column: row.get(column) for column in self.all_columns} for row in self.rows]


@dataclass
class Provenance:
    """Where results come from."""

    study: str
    date: str
    machine: str
    seed: int
    commit: str
    command: str
    splits: list

    def lines(self):
        """For people, one statement a line."""
        return [
            f"study: {self.study}; command: {self.command}; seed: {self.seed}",
            f"date: {self.date}; machine: {self.machine}; commit: {self.commit}",
            *(f"split: {split}" for split in self.splits),
        ]


def document(findings, provenance):
    """The JSON document."""
    about = {
        "study": provenance.study,
        "title": findings.title,
        "date": provenance.date,
        "machine": provenance.machine,
        "seed": provenance.seed,
        "commit": provenance.commit,
        "command": provenance.command,
        "splits": provenance.splits,
        "notes": findings.notes,
    }
    return about | ({"rows": findings.table()} if findings.document is None else findings.document)


def write(folder, findings, provenance):
    """Writes NAME.csv, NAME.svg and NAME.json; returns their paths and the
    document."""
    found = document(findings, provenance)
    about = provenance.lines()
    notes = [findings.title, *about, *findings.notes, findings.units]
    below = [*findings.notes, *about]
    chart = charts.render(findings.title, findings.panels, findings.across, below, findings.own_legends)
    contents = {
        "csv": tables.to_csv(findings.all_columns, findings.rows, notes),
        "svg": chart,
        "json": json.dumps(found, indent=1, ensure_ascii=False) + "\n",
    }
    paths = []
    for ending, content in contents.items():
        paths.append(Path(folder) / f"{provenance.study}.{ending}")
        files.write(paths[-1], content)
    return paths, found


def today():
    return datetime.date.today().isoformat()


def machine():
    """Processor, cores, and the instruction set that the program takes."""
    flags, name = set(), platform.processor() or platform.machine()
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            key, _, value = (part.strip() for part in line.partition(":"))
            if key == "model name":
                name = value
            elif key == "flags":
                flags = set(value.split())
    except OSError:
        pass
    found = "avx512-vnni" if "avx512_vnni" in flags else "avx2" if {"avx2", "fma"} <= flags else "scalar"
    return f"{name}, {os.cpu_count()} cores, {os.environ.get('DTATRANS_ISA') or found}"


def commit(root):
    """The commit, and whether the program or the studies differ from it."""

    def git(*arguments):
        outcome = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True)
        return outcome.stdout.strip() if outcome.returncode == 0 else None

    try:
        found = git("rev-parse", "--short=12", "HEAD")
        changed = git("status", "--porcelain", "--", "crates", "studies", ":!studies/results")
    except FileNotFoundError:
        return "unknown"
    return "unknown" if found is None else found + (" with changes" if changed else "")
