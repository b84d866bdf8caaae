"""What a study is given: tasks, plans and measurements."""

import sys

from harness import plans, tables
from harness.setups import SETUPS


class Study:
    """One study at work. `quick` asks for a few points on a little data; `plans`
    is the folder with the plans that were chosen, one folder a task."""

    def __init__(self, evaluator, plans_folder, quick=False):
        self.evaluator = evaluator
        self.plans_folder = plans_folder
        self.quick = quick
        self.splits = {}
        self.machines = set()

    def depth(self, task):
        """Layers of the task's model."""
        return self.evaluator.models.depth(SETUPS[task].model)

    def few(self, everything, *quick):
        """All of it, or with --quick these."""
        return quick if self.quick else everything

    def measure(self, requests):
        """The measurement of each request, in order."""
        for request in requests:
            split = request.instead or getattr(SETUPS[request.setup], request.split)
            about = f"{request.setup}, {request.split}: {split.about}"
            self.splits[about + (" (--quick: a few lines in its place)" if self.quick else "")] = None
        found = self.evaluator.measure(SETUPS, requests)
        self.machines |= {measurement.machine for measurement in found}
        return found

    def rows(self, entries):
        """Rows of a table: of each pair of cells and a request its cells and what
        was measured."""
        found = self.measure([request for _, request in entries])
        return [
            {"task": request.setup, "split": request.split} | cells | tables.measured(measurement)
            for (cells, request), measurement in zip(entries, found)
        ]

    def search(self, model, searched, unseen, budget, evaluations):
        """What `dtatrans search --compare` says: `searched` and `unseen` are texts,
        what they are and its arguments. It goes on where it was stopped."""
        for what, (about, _) in [("searched", searched), ("unseen", unseen)]:
            self.splits[f"{what}: {about}" + (" (--quick: a few lines in its place)" if self.quick else "")] = None
        self.machines.add(self.evaluator.machine)
        return self.evaluator.search(model, [*searched[1], *unseen[1]], budget, evaluations)

    def chosen_plans(self, task):
        """The plans that were chosen for a task's own model, by name; says so if
        there are none."""
        found = plans.folder(self.plans_folder, task)
        found.pop("adapted", None)
        if not found:
            self.warn(f"{self.plans_folder / task}: no plans there: only what they are compared with is run")
        return {name: plans.Plan.read(path) for name, path in found.items()}

    def chosen_plan(self, task, name):
        """One of them, and the path of its file; None if there is no such file."""
        path = self.plans_folder / task / f"{name}.toml"
        return (plans.Plan.read(path), path) if path.is_file() else None

    def has_model(self, name):
        return self.evaluator.models.path(name) is not None

    def with_maps_of(self, model, plan, name):
        """The plan with the calibration of that name in the model's folder, if it
        is there: an adapted model's maps have learned along."""
        path = self.evaluator.models.path(model) / name
        return plans.Plan(plan.keys, plan.layers, path) if path.is_file() else plan

    @staticmethod
    def warn(text):
        print(f"warning: {text}", file=sys.stderr)
