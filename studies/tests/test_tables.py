"""Do tables hold what was measured, in the form that they promise?"""

import csv
import unittest

from harness import tables
from harness.evaluation import Measurement


def measurement(difference=-0.5, low=-1.9, high=0.9, distance=0.0123456):
    interval = {"difference": difference, "low": low, "high": high}
    against = {"f32_value": 86.71631, "loss": max(0.0, -difference), "difference": interval}
    metrics = [{"name": name, "value": 86.0, "against_f32": against} for name in ("mrr", "recall@1")]
    found = {
        "n": 1500,
        "tokens_mean": 16.23633,
        "metrics": metrics,
        "deviation": {"value": 0.00540123, "mean_cosine_distance": distance},
        "saved": {"attention": 0.7501234, "encoder": 0.5},
    }
    if distance is None:
        del found["deviation"]["mean_cosine_distance"]
    return Measurement(found, "machine")


class Tables(unittest.TestCase):
    def test_every_shared_column_is_measured(self):
        row = tables.measured(measurement())
        self.assertEqual(set(row), set(tables.MEASURED))
        self.assertEqual((row["f32"], row["loss"], row["difference"]), (86.716, 0.5, -0.5))
        self.assertEqual((row["deviation"], row["mean_cosine_distance"]), (0.005401, 0.01235))
        self.assertEqual((row["attention_saved"], row["encoder_saved"]), (75.01, 50.0))
        self.assertEqual((row["n"], row["tokens_mean"], row["metric"]), (1500, 16.2, "mrr"))
        self.assertEqual(tables.measured(measurement(), "recall@1")["metric"], "recall@1")
        self.assertIsNone(tables.measured(measurement(distance=None))["mean_cosine_distance"])

    def test_an_interval_that_reaches_further_than_1_5_points_resolves_nothing(self):
        def resolved(low, high):
            return tables.measured(measurement(-0.5, low, high))["resolved"]

        self.assertEqual(resolved(-1.9, 0.9), "resolved")
        self.assertEqual(resolved(-2.1, 0.9), "not resolved")
        self.assertEqual(resolved(-1.9, 1.1), "not resolved")

    def test_csv_reads_back(self):
        rows = [{"task": "a, b", "x": 1.5, "y": None}, {"task": 'say "x"', "x": 2, "z": 0}]
        text = tables.to_csv(["task", "x", "y"], rows, ["one", "two, three"])
        lines = text.splitlines()
        self.assertEqual(lines[:2], ["# one", "# two, three"])
        found = list(csv.DictReader(lines[2:]))
        self.assertEqual(found[0], {"task": "a, b", "x": "1.5", "y": ""})
        self.assertEqual(found[1], {"task": 'say "x"', "x": "2", "y": ""})

    def test_tables_for_reading_are_aligned(self):
        rows = [
            {"task": "stsb", "loss": 12.0, "deviation": 0.000123},
            {"task": "x", "loss": 0.05, "deviation": None},
        ]
        lines = tables.to_text(["task", "loss", "deviation"], rows).splitlines()
        self.assertEqual(lines, ["task   loss  deviation", "stsb  12.00   0.000123", "x      0.05"])
