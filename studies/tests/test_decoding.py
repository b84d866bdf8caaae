"""Decoders: the bytes of policies, and paired differences."""

import math
import unittest
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

from harness import plans
from harness.decoding import Decoding, paired
from questions import gpt2


class Policies(unittest.TestCase):
    def test_budgets_hold_and_are_used(self):
        for model, sizes in gpt2.MODELS.items():
            tokens = 1247
            found = gpt2.policies(model, tokens, {})
            half = gpt2.share_of(gpt2.uniform(tokens), sizes, tokens)
            self.assertTrue(0.5 < half < 0.6)
            self.assertEqual(len(found), 2 + 3 * 6)
            for (budget, policy, bits), plan in found.items():
                if budget == "all" or policy == "uniform 4 bits":
                    continue
                limit = gpt2.BUDGETS[budget] or half
                share = gpt2.share_of(plan.cache, sizes, tokens)
                self.assertLessEqual(share, limit + 1e-9, (policy, bits))
                # Within a thousandth of the tokens, unless all of them fit.
                whole = plan.cache["r8"] + plan.cache["r4"] >= 0.999
                self.assertTrue(whole or share > limit - 0.002, (policy, bits, share))
                self.assertEqual((plan.cache["first"], plan.cache["newest"]), (4, 64))

    def test_a_cache_survives_its_file(self):
        plan = gpt2.policies("smollm2", 1247, {})[("1/4", "H2O", 4)]
        plan.layers[3]["cache"] = [plans.shares(r4=0.5), plans.shares(r8=1)]
        with TemporaryDirectory() as folder:
            path = Path(folder) / "plan.toml"
            path.write_text(plan.text())
            again = plans.Plan.read(path)
        self.assertEqual(again.text(), plan.text())
        self.assertEqual(again.cache, plan.cache)


class Answers(unittest.TestCase):
    def test_plans_get_their_own_answers_in_whatever_order(self):
        with TemporaryDirectory() as folder:
            evaluator = FakeEvaluator(Path(folder))
            decoding = Decoding(evaluator)
            compared = {bits: gpt2.plan("smollm2", gpt2.uniform(bits)) for bits in (100, 200, 300)}
            found = decoding.measure("smollm2", ["--task", "needle"], compared, seed=3)
            for bits, answer in found.items():
                self.assertIn(f"r8 = {gpt2.protected(bits)}", answer["text"])
                self.assertEqual(answer["answered_at_f32"], [True, False])
            self.assertEqual(evaluator.program.runs, 1)
            self.assertEqual(decoding.measure("smollm2", ["--task", "needle"], compared, seed=3), found)
            self.assertEqual(evaluator.program.runs, 1)


class FakeEvaluator:
    """One whose program answers plans backwards."""

    def __init__(self, cache):
        self.cache, self.seed, self.machine = cache, 0, "here"
        self.program = FakeProgram()
        self.models = SimpleNamespace(identity=str, argument=str)
        self.progress = SimpleNamespace(say=str)


class FakeProgram:
    identity, runs = "1", 0

    def objects(self, *command, progress):
        self.runs += 1
        files = [Path(command[i + 1]) for i, part in enumerate(command) if part == "--plan"]
        yield {"plan": "f32", "answered": [True, False]}
        for path in reversed(files):
            yield {"plan": path.stem, "text": path.read_text()}


class Paired(unittest.TestCase):
    def test_the_interval_lies_around_the_difference(self):
        own = [1.0 + 0.1 * (i % 5) for i in range(40)]
        other = [1.0] * 40

        def mean(pairs):
            return sum(a - b for a, b in pairs) / len(pairs)

        difference, low, high = paired(own, other, mean, 0)
        self.assertTrue(math.isclose(difference, 0.2))
        self.assertTrue(0.1 < low < difference < high < 0.3)
        self.assertEqual(paired(own, other, mean, 0), (difference, low, high))


if __name__ == "__main__":
    unittest.main()
