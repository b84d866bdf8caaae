"""Does the headline have what documents quote?"""

import json

from harness.setups import SETUPS
from tests.workplace import Workplace, write, write_plan

FIELDS = [
    "task",
    "n",
    "tokens_mean",
    "f32",
    "int8",
    "all4",
    "under_plan",
    "loss",
    "interval",
    "attention_saved",
    "encoder_saved",
    "plan_file",
]


class Headline(Workplace):
    def setUp(self):
        super().setUp()
        for task in SETUPS:
            write_plan(self.folder / "plans" / task / "headline.toml")

    def document(self):
        status, out, errors = self.run_study("headline", "--quick", "--json")
        self.assertEqual(status, 0, errors)
        document = json.loads(out)
        self.assertEqual(document, json.loads((self.folder / "output" / "headline.json").read_text()))
        return document

    def test_one_entry_a_task(self):
        document = self.document()
        for key in ("date", "machine", "seed", "commit", "command"):
            self.assertIn(key, document)
        self.assertEqual([entry["task"] for entry in document["tasks"]], list(SETUPS))
        for entry in document["tasks"]:
            self.assertEqual(list(entry)[: len(FIELDS)], FIELDS)
            self.assertEqual(entry["plan_file"], f"studies/plans/{entry['task']}/headline.toml")
            low, high = entry["interval"]
            self.assertTrue(low < entry["difference"] < high)
            self.assertAlmostEqual(entry["f32"] - entry["loss"], entry["under_plan"], delta=0.011)
            self.assertEqual(entry["choosing"]["n"], 100)
            self.assertNotEqual(entry["under_plan_weights4"], entry["all4_weights4"])
            self.assertTrue(50 <= entry["attention_saved"] <= 75 and 30 <= entry["encoder_saved"] <= 55)
        losses = [entry["loss"] for entry in document["tasks"]]
        self.assertAlmostEqual(document["mean_loss"], sum(losses) / len(losses), delta=0.006)
        self.assertAlmostEqual(document["mean_loss_of_resolved"], document["mean_loss"], delta=0.006)
        self.assertEqual(document["adapted"], [])

    def test_adapted_models_are_listed_beside_their_tasks(self):
        for task in ("sst2", "stsb"):
            write_plan(self.folder / "plans" / task / "adapted.toml", r0=0.75)
        write(self.folder / "models" / "minilm-sst2-adapted" / "config.json", '{"num_hidden_layers": 3}')
        document = self.document()
        # There is a plan but no model for STS-B.
        (entry,) = document["adapted"]
        self.assertEqual((entry["task"], entry["model"]), ("sst2", "minilm-sst2-adapted"))
        self.assertEqual(list(entry)[: len(FIELDS)], FIELDS)
        self.assertEqual(entry["plan_file"], "studies/plans/sst2/adapted.toml")
        self.assertEqual(entry["f32_before"], 80.0)
        self.assertEqual(entry["not_adapted_choosing"]["value"], entry["not_adapted_reporting"]["value"])
        self.assertEqual(len(document["tasks"]), len(SETUPS))
