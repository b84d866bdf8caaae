"""The command line of studies/run."""

import argparse
import importlib
import json
import os
import pkgutil
import sys
import tempfile
from pathlib import Path

import questions
from harness import results, tables
from harness.evaluation import Evaluator, Models
from harness.failure import Failure
from harness.program import Program
from harness.progress import Progress
from harness.study import Study
from harness.texts import Texts

STUDIES = Path(__file__).resolve().parent.parent
ROOT = STUDIES.parent


def main(given=None):
    arguments = parse(given)
    study = open_study(arguments)
    question = importlib.import_module(f"questions.{arguments.name}")
    findings = question.run(study)
    provenance = results.Provenance(
        study=arguments.name,
        date=results.today(),
        machine="; ".join(sorted(study.machines)),
        seed=arguments.seed,
        commit=results.commit(ROOT),
        command=command(arguments),
        splits=list(study.splits),
    )
    folder = output(arguments)
    paths, document = results.write(folder, findings, provenance)
    if arguments.json:
        print(json.dumps(document, ensure_ascii=False))
    else:
        print(tables.to_text(findings.all_columns, findings.rows), end="")
        print("written: " + ", ".join(shown(path) for path in paths))


def open_study(arguments):
    """The study's tasks, plans and program."""
    cache = Path(arguments.cache).resolve()
    if not Path(arguments.data).is_dir():
        raise Failure(f"--data {arguments.data}: no such folder; studies/README.md says what it holds")
    program = Program.find(ROOT, cache, arguments.threads)
    models = Models(Path(arguments.models).resolve() if arguments.models else None, program)
    texts = Texts(Path(arguments.data).resolve(), cache, arguments.quick)
    evaluator = Evaluator(program, texts, models, cache, results.machine(), arguments.seed, Progress())
    return Study(evaluator, Path(arguments.plans), arguments.quick)


def parse(given):
    names = sorted(module.name for module in pkgutil.iter_modules(questions.__path__))
    summaries = {name: importlib.import_module(f"questions.{name}").SUMMARY for name in names}
    width = max(map(len, names))
    parser = argparse.ArgumentParser(
        prog="studies/run",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Runs a study: evaluates plans on tasks, and writes a table, a chart and a JSON document.\n\n"
        "studies:\n" + "\n".join(f"  {name.ljust(width)}  {summaries[name]}" for name in names),
        epilog="A study that was stopped goes on where it was. studies/README.md says where the data\n"
        "comes from and how long each study takes.",
    )
    option = parser.add_argument
    option("name", metavar="NAME", choices=names, help="the study")
    option("--json", action="store_true", help="print the JSON document")
    option("--data", metavar="DIR", default=os.environ.get("DTATRANS_DATA"), help="the public data sets [DTATRANS_DATA]")
    option("--models", metavar="DIR", default=os.environ.get("DTATRANS_MODELS"), help="fine-tuned models [DTATRANS_MODELS]")
    option("--plans", metavar="DIR", default=STUDIES / "plans", help="the chosen plans, a folder for each task [studies/plans]")
    option("--output", metavar="DIR", help="where results go [studies/results; with --quick a temporary folder]")
    option("--cache", metavar="DIR", default=STUDIES / "cache", help="where evaluations are kept [studies/cache]")
    option("--quick", action="store_true", help="few points on a little data: whether all works, no results")
    option("--threads", metavar="N", type=positive, help="threads to compute on [one per core]")
    option("--seed", metavar="N", type=int, default=0, help="decides the resamples of the intervals [0]")
    arguments = parser.parse_args(given)
    if not arguments.data:
        parser.error("the studies need the public data sets: --data DIR, or the environment variable DTATRANS_DATA")
    return arguments


def positive(text):
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def output(arguments):
    """The folder of the results."""
    if arguments.output:
        return Path(arguments.output)
    if arguments.quick:
        folder = tempfile.mkdtemp(prefix=f"dtatrans-{arguments.name}-quick-")
        print(f"--quick makes no results: what it found is in {folder}", file=sys.stderr)
        return Path(folder)
    return STUDIES / "results"


def command(arguments):
    """What makes these results again; folders differ between machines."""
    parts = ["studies/run", arguments.name, "--data DATA"]
    parts += ["--models MODELS"] if arguments.models else []
    parts += ["--quick"] if arguments.quick else []
    parts += [f"--seed {arguments.seed}"] if arguments.seed else []
    return " ".join(parts)


def shown(path):
    """A path from the repository's root, if it is below it."""
    path = path.resolve()
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)
