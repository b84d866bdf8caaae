"""Traces of a model under a plan, and simulated machines on them. Traces are kept, as
evaluations are; simulations take seconds and are run again."""

import json
import os

from harness import files

# What an element-cycle is spent on, as `dtatrans simulate` names it.
CAUSES = [
    "active", "speed_mismatch", "operand_wait", "sram_conflict", "fill", "drain", "tail", "dram", "vector", "sort",
]  # fmt: skip


class Simulation:
    """Runs `dtatrans trace` and `dtatrans simulate`."""

    def __init__(self, evaluator):
        self.evaluator = evaluator

    def trace(self, model, plan, texts, *options):
        """The path of the trace of a file of texts under a plan."""
        evaluator = self.evaluator
        key = files.digest_of(
            [evaluator.program.identity, evaluator.models.identity(model), plan.text(), files.digest(texts), options]
        )
        path = evaluator.cache / "traces" / f"{key}.jsonl"
        if not path.exists():
            plan_path = evaluator.cache / "plans" / f"{key}.toml"
            files.write(plan_path, plan.text())
            unfinished = path.with_name(f"unfinished-{os.getpid()}")
            unfinished.parent.mkdir(parents=True, exist_ok=True)
            command = ["trace", "--model", evaluator.models.argument(model), "--plan", plan_path, "--file", texts]
            for _ in evaluator.program.objects(*command, *options, "--output", unfinished):
                pass
            os.replace(unfinished, path)
        return path

    def run(self, trace, machine, **settings):
        """What a machine answers, a built-in one or a file; `array_rows=8` sets its
        key `array.rows`."""
        options = [part for key, value in settings.items() for part in ("--set", f"{key.replace('_', '.', 1)}={value}")]
        (found,) = self.evaluator.program.objects("simulate", trace, "--machine", machine, *options)
        (answer,) = found["machines"]
        return answer


def tiers(trace):
    """Of each text of a trace, the tiers of its layers: digits, one a token."""
    with open(trace) as lines:
        next(lines)
        return [[layer["tiers"] for layer in json.loads(line)["layers"]] for line in lines]
