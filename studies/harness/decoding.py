"""Decoders: what several ways to cache a text lose, on the same windows or prompts.

Plans that differ in their caches alone share the reading of each text, so that those
that are not known yet run in one process. What the program says of each is kept, as
that of encoders is."""

import json
import random

from harness import files

# Resamples of a paired bootstrap, and the share that its interval covers.
RESAMPLES = 10_000
LEVEL = 0.95


class Decoding:
    """Runs `dtatrans eval` with decoders and remembers the answers."""

    def __init__(self, evaluator):
        self.evaluator = evaluator

    def measure(self, model, arguments, plans, seed=None):
        """What `dtatrans eval --against-f32` says of each plan, by name."""
        seed = self.evaluator.seed if seed is None else seed
        keys = {name: self.key(model, arguments, plan, seed) for name, plan in plans.items()}
        found = {name: self.recall(key) for name, key in keys.items()}
        missing = [name for name in plans if found[name] is None]
        if missing:
            found |= self.run(model, arguments, {name: plans[name] for name in missing}, keys, seed)
        return found

    def key(self, model, arguments, plan, seed):
        evaluator = self.evaluator
        return files.digest_of(
            {
                "program": evaluator.program.identity,
                "model": evaluator.models.identity(model),
                "arguments": [files.digest(part) if hasattr(part, "read_bytes") else part for part in arguments],
                "plan": plan.text(),
                "seed": seed,
            }
        )

    def path(self, key):
        return self.evaluator.cache / "decoding" / f"{key}.json"

    def recall(self, key):
        try:
            return json.loads(self.path(key).read_text())
        except (FileNotFoundError, ValueError):
            return None

    def run(self, model, arguments, plans, keys, seed):
        evaluator = self.evaluator
        options = []
        for name, plan in plans.items():
            path = evaluator.cache / "plans" / f"{keys[name]}.toml"
            # Plans that are read together answer together, in whatever order.
            files.write(path, f'name = "{keys[name]}"\n' + plan.text())
            options += ["--plan", path]
        evaluator.progress.say(f"{model}, {' '.join(map(str, arguments))}: {len(plans)} plans")
        argument = evaluator.models.argument(model)
        command = ["eval", "--model", argument, *arguments, *options, "--seed", seed, "--against-f32"]
        answers = list(evaluator.program.objects(*command, progress=True))
        exact = next((one for one in answers if one["plan"] == "f32"), {})
        answers = {one["plan"]: one for one in answers if one is not exact}
        found = {}
        for name in plans:
            answer = answers[keys[name]] | {"machine": evaluator.machine}
            # Plans that are asked for later find their own.
            if "answered" in exact:
                answer["answered_at_f32"] = exact["answered"]
            files.write(self.path(keys[name]), json.dumps(answer) + "\n")
            found[name] = answer
        return found


def paired(own, other, statistic, seed):
    """The difference of two results on the same items, and the interval of a paired
    bootstrap over the items: `statistic` makes one number of the items' own pairs."""
    pairs = list(zip(own, other, strict=True))
    draws = random.Random(seed)
    resampled = sorted(statistic(draws.choices(pairs, k=len(pairs))) for _ in range(RESAMPLES))
    cut = int((1 - LEVEL) / 2 * RESAMPLES)
    return statistic(pairs), resampled[cut], resampled[-1 - cut]
