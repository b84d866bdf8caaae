"""Do plans say what they should, and what must be calibrated?"""

import tomllib

from harness import plans
from harness.failure import Failure
from harness.plans import METHOD, Plan, shares
from tests.workplace import Workplace, write, write_plan


def kept(plan, key):
    return [layer[key] for layer in plan.layers]


class Plans(Workplace):
    def test_shares_are_thousandths_that_sum_to_1(self):
        for r8, r4 in [(0.1, 0.2), (1 / 3, 1 / 3), (0, 0.85), (0.7, 0.3)]:
            layer = shares(r8, r4)
            self.assertEqual(sum(round(1000 * part) for part in layer.values()), 1000)
        self.assertEqual(shares(r4=0.6, compensation="carry")["compensation"], "carry")

    def test_the_text_is_the_plan(self):
        plan = plans.uniform(4, 0.4, 2, importance="decayed")
        found = tomllib.loads(plan.text("c.safetensors"))
        self.assertEqual(found.pop("layer"), [shares(r4=1)] * 2 + [shares(r4=0.6)] * 2)
        self.assertEqual(found, METHOD | {"format": 1, "importance": "decayed", "calibration": "c.safetensors"})

    def test_spattens_share_falls_linearly_after_the_first_layers(self):
        # Of six layers the first 15 % are one.
        self.assertEqual(kept(plans.spatten(6, 0.2, 4), "r4"), [1.0, 1.0, 0.8, 0.6, 0.4, 0.2])
        self.assertEqual(kept(plans.spatten(6, 0.2, 8), "r8"), [1.0, 1.0, 0.8, 0.6, 0.4, 0.2])
        self.assertEqual(kept(plans.spatten(12, 0.0, 4), "r4")[:3], [1.0, 1.0, 1.0])
        plan = plans.spatten(3, 0.5, 8)
        self.assertEqual(plan.keys["compensation"], "drop")
        self.assertEqual((plan.keys["probability_bits"], plan.keys["protected_bits"]), (8, 8))

    def test_what_needs_a_calibration(self):
        predict = plans.uniform(3, 0.5, 1, compensation="keys-values+predict")
        self.assertTrue(predict.needs_calibration)
        self.assertIs(predict.calibrated_as(), predict)
        # Nothing is predicted where no token is at 0 bits.
        self.assertFalse(plans.uniform(3, 0.0, 1, compensation="predict-diagonal").needs_calibration)
        self.assertFalse(plans.uniform(3, 0.5, 1).needs_calibration)
        one_layer = Plan(METHOD, [shares(r4=1), shares(compensation="attention+predict")])
        self.assertTrue(one_layer.needs_calibration)
        # A prior does not depend on the shares: one calibration is enough.
        prior = [plans.uniform(3, r0, 1, importance="static", prior=True) for r0 in (0.1, 0.5)]
        self.assertTrue(all(plan.needs_calibration for plan in prior))
        self.assertEqual(prior[0].calibrated_as().text(), prior[1].calibrated_as().text())

    def test_a_plan_is_widened_where_it_predicts(self):
        layers = [shares(r4=1), shares(r8=0.6, r4=0.3), shares(r4=0.9), shares(r4=0.2)]
        layers[2]["compensation"] = "keys-values"
        wide = Plan(METHOD | {"compensation": "predict-diagonal"}, layers).widened()
        self.assertEqual(wide.layers[0], layers[0])
        self.assertEqual(wide.layers[1], {"r8": 0.5, "r4": 0.0, "r0": 0.5})
        self.assertEqual(wide.layers[2:], layers[2:])

    def test_files_are_read_with_their_calibration(self):
        path = self.folder / "plans" / "stsb" / "mine.toml"
        write_plan(path, compensation="predict-diagonal")
        plain = Plan.read(path)
        self.assertIsNone(plain.calibration)
        # Neither names nor comments matter.
        write(path, path.read_text().replace('"mine"', '"other"').replace("# Found", "# found"))
        self.assertEqual(Plan.read(path).text(), plain.text())
        write(path, 'calibration = "c.safetensors"\n' + path.read_text())
        self.assertIsNone(Plan.read(path).calibration)
        write(path.with_name("c.safetensors"), "")
        self.assertEqual(Plan.read(path).calibration, path.with_name("c.safetensors"))
        self.assertEqual(list(plans.folder(self.folder / "plans", "stsb")), ["mine"])
        self.assertEqual(plans.folder(self.folder / "plans", "cola"), {})
        for bad in (b"format = ", b"\x80"):
            path.write_bytes(bad)
            with self.assertRaisesRegex(Failure, "mine.toml: "):
                Plan.read(path)
