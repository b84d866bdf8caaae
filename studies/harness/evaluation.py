"""Evaluations: a task's model under a plan, on a split, against f32. Each is kept on
the disk as soon as it is there, under all that it depends on, so that a study that
was stopped goes on where it was, and studies share what they have in common."""

import json
import time
from collections import namedtuple
from pathlib import Path

from harness import files, plans
from harness.failure import Failure
from harness.progress import CALIBRATING

# What to evaluate. `split` is "choosing" or "reporting", whose texts a Split in
# `instead` replaces; `options` are further arguments of `dtatrans eval`; `model` is
# that of the task unless given; `about` is for the progress line.
Request = namedtuple("Request", "setup split plan about options model instead", defaults=((), None, None))

# An interval that reaches further from the difference than this many points does not
# say what a plan loses.
RESOLVED_WITHIN = 1.5

# What the program says where texts are too few to find a map from.
TOO_FEW = "tokens were at 0 bits in these texts"

# Tokens that calibrate each plan that a search tries.
SEARCH_CALIBRATION = 10_000

# Plans that one process evaluates, with one run at f32 for all of them.
BATCH = 12


class Measurement:
    """What `dtatrans eval --against-f32 --json` says of one plan."""

    def __init__(self, found, machine):
        self.found = found
        self.machine = machine

    def metric(self, name=None):
        """The metric that counts, or the one of that name: value, f32, loss,
        difference, low, high in points, and whether they are resolved."""
        metrics = self.found["metrics"]
        metric = next(metric for metric in metrics if name in (None, metric["name"]))
        against = metric["against_f32"]
        interval = against["difference"]
        difference, low, high = (interval[key] for key in ("difference", "low", "high"))
        reach = max(difference - low, high - difference)
        return {
            "metric": metric["name"],
            "value": metric["value"],
            "f32": against["f32_value"],
            "loss": against["loss"],
            "difference": difference,
            "low": low,
            "high": high,
            "resolved": "resolved" if reach <= RESOLVED_WITHIN else "not resolved",
        }

    @property
    def deviation(self):
        return self.found["deviation"]["value"]

    @property
    def mean_cosine_distance(self):
        """The mean of 1 - cosine to f32; None of classifiers."""
        return self.found["deviation"].get("mean_cosine_distance")

    @property
    def saved(self):
        """Per cent of the dense 8-bit model's element-cycles, by `attention` and
        `encoder`."""
        return {scope: 100 * share for scope, share in self.found["saved"].items()}


class Models:
    """Checkpoints below a folder; `minilm` is built in where the folder has
    none."""

    # Layers of the built-in models, which may not have been fetched yet.
    BUILT_IN = {"minilm": 6, "smollm2": 30}

    def __init__(self, folder, program):
        self.folder = folder
        self.program = program
        self.versions = {}

    def path(self, name):
        """The folder of a model, if it has one."""
        path = self.folder / name if self.folder else None
        return path if path and path.is_dir() else None

    def argument(self, name):
        """What to give to --model."""
        path = self.path(name)
        if path:
            return path
        if name in self.BUILT_IN:
            return name
        where = f"{self.folder / name}: no such folder" if self.folder else f"{name}: no folder of models"
        raise Failure(
            f"{where}. studies/README.md says how this model is made; --models FOLDER or "
            "DTATRANS_MODELS says where it lies"
        )

    def depth(self, name):
        """How many layers it has."""
        argument = self.argument(name)
        if argument in self.BUILT_IN:
            return self.BUILT_IN[argument]
        file = argument / "config.json"
        try:
            return json.loads(file.read_text())["num_hidden_layers"]
        except (ValueError, KeyError) as error:
            raise Failure(f"{file}: {error}") from None

    def identity(self, name):
        """A digest of its files, or the package of a built-in one."""
        if name not in self.versions:
            argument = self.argument(name)
            known = files.digest(argument) if isinstance(argument, Path) else None
            self.versions[name] = known or self.program.built_in(name)["package"]
        return self.versions[name]


class Evaluator:
    """Runs requests and remembers the answers. `machine` says where."""

    def __init__(self, program, texts, models, cache, machine, seed, progress):
        self.program = program
        self.texts = texts
        self.models = models
        self.cache = cache
        self.machine = machine
        self.seed = seed
        self.progress = progress

    def measure(self, setups, requests):
        """The measurement of each request, in order."""
        jobs = [self.job(setups[request.setup], request) for request in requests]
        found = {job.key: self.recall(job.key) for job in jobs}
        missing = {job.key: job for job in jobs if found[job.key] is None}
        calibrations = {
            job.calibration.key: job.calibrating
            for job in missing.values()
            if job.calibration and not self.path_of(job.calibration).exists()
        }
        groups = [job.group for job in missing.values()] + list(calibrations.values())
        self.progress.start(len(found) - len(missing), groups)
        for batch in batches(missing.values()):
            found |= self.run(batch)
        return [found[job.key] for job in jobs]

    def job(self, setup, request):
        """All that an evaluation depends on."""
        model = request.model or setup.model
        split = request.instead or getattr(setup, request.split)
        arguments = [*split.arguments(self.texts), *request.options, "--seed", str(self.seed)]
        calibration = self.calibration(setup, model, request.plan)
        plan = request.plan.text()
        key = files.digest_of(
            {
                "program": self.program.identity,
                "model": self.models.identity(model),
                "arguments": contents(arguments),
                "plan": plan,
                "calibration": calibration.key if calibration else None,
            }
        )
        group = f"{setup.name} {request.split} {model} {' '.join(request.options)}".strip()
        return Job(key, group, request, model, arguments, calibration)

    def calibration(self, setup, model, plan):
        """Where the plan's calibration comes from, if it needs one."""
        if not plan.needs_calibration:
            return None
        if plan.calibration:
            return Calibration(files.digest(plan.calibration), plan, plan.calibration, None)
        under = plan.calibrated_as()
        arguments = setup.calibration(self.texts)
        key = files.digest_of(
            {
                "program": self.program.identity,
                "model": self.models.identity(model),
                "arguments": contents(arguments),
                "plan": under.text(),
            }
        )
        return Calibration(key, under, None, arguments)

    def recall(self, key):
        """What is remembered of an evaluation, or None."""
        try:
            kept = json.loads((self.cache / "evaluations" / f"{key}.json").read_text())
            return Measurement(kept["found"], kept["machine"])
        except (FileNotFoundError, ValueError, KeyError):
            return None

    def run(self, batch):
        """Evaluates plans that differ in nothing else, in one process."""
        options = []
        for job in batch:
            calibration = self.calibrated(job) if job.calibration else None
            path = self.cache / "plans" / f"{job.key}.toml"
            files.write(path, job.request.plan.text(calibration))
            options += ["--plan", path]
        model = self.models.argument(batch[0].model)
        answers = self.program.objects("eval", "--model", model, *batch[0].arguments, *options, "--against-f32")
        found = {}
        for job, answer in zip(batch, answers):
            kept = {"about": job.request.about, "machine": self.machine, "found": answer}
            files.write(self.cache / "evaluations" / f"{job.key}.json", json.dumps(kept) + "\n")
            found[job.key] = Measurement(answer, self.machine)
            self.progress.step(job.group, job.request.about, answer["seconds"])
        # Nothing is left to read, but the exit status.
        for _ in answers:
            raise Failure("dtatrans eval: more results than plans")
        if len(found) < len(batch):
            raise Failure("dtatrans eval: fewer results than plans")
        return found

    def search(self, model, arguments, budget, evaluations):
        """The outcome of a search that varies ratios and each layer's compensation
        from all tokens at 4 bits on, and of those that it is compared with."""
        base = plans.all_four(self.models.depth(model), **plans.GROUPS)
        command = ["search", "--model", self.models.argument(model), *arguments, "--scope", "encoder"]
        command += ["--budget", budget, "--evaluations", evaluations, "--seed", self.seed, "--compare"]
        command += ["--vary", "layer-compensation", "--calibration-tokens", SEARCH_CALIBRATION]
        key = files.digest_of(
            [self.program.identity, self.models.identity(model), contents(command), base.text()]
        )
        path = self.cache / "searches" / f"{key}.toml"
        files.write(path, base.text())
        options = ["--base", path, "--journal", path.with_suffix(".jsonl")]
        (found,) = self.program.objects(*command, *options, progress=True)
        return found

    def path_of(self, calibration):
        """Calibrations lie with the plans, which name them."""
        return self.cache / "plans" / f"{calibration.key}.safetensors"

    def calibrated(self, job):
        """The name of the plan's calibration, made if need be."""
        calibration, path = job.calibration, self.path_of(job.calibration)
        if path.exists():
            return path.name
        start = time.monotonic()
        if calibration.file:
            files.write(path, calibration.file.read_bytes())
        else:
            try:
                self.calibrate(job, calibration.plan, path)
            except Failure as failure:
                if TOO_FEW not in str(failure):
                    raise
                self.progress.say(f"{failure}; calibrated as if half of the tokens were")
                self.calibrate(job, calibration.plan.widened(), path)
        self.progress.step(job.calibrating, job.request.about, time.monotonic() - start)
        return path.name

    def calibrate(self, job, plan, path):
        plan_path = path.with_suffix(".toml")
        files.write(plan_path, plan.text())
        model = self.models.argument(job.model)
        command = ["calibrate", "--model", model, *job.calibration.arguments]
        for _ in self.program.objects(*command, "--plan", plan_path, "--output", path):
            pass


class Job(namedtuple("Job", "key group request model arguments calibration")):
    """A request with all that it depends on."""

    @property
    def calibrating(self):
        """The group of its calibration."""
        return f"{CALIBRATING}{self.request.setup} {self.model}"


Calibration = namedtuple("Calibration", "key plan file arguments")


def contents(arguments):
    """Arguments with what their files hold in the place of paths."""
    return [files.digest(part) if isinstance(part, Path) else part for part in arguments]


def batches(jobs):
    """Jobs that can share a process, a few at a time, in the order of their first
    one."""
    groups = {}
    for job in jobs:
        groups.setdefault((job.model, *map(str, job.arguments)), []).append(job)
    for group in groups.values():
        for first in range(0, len(group), BATCH):
            yield group[first : first + BATCH]
