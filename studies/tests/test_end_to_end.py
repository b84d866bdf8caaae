"""Does a study run through the real program? On tiny models of random weights and
generated texts; the figures mean nothing."""

import csv
import json
import os
import unittest
import xml.etree.ElementTree as ElementTree

from harness import program
from harness.failure import Failure
from harness.simulation import CAUSES
from questions import compensation
from tests.workplace import ROOT, Workplace, write

TINY = ROOT / "crates" / "model" / "tests" / "data"
MODELS = {"minilm": "tiny-bert", "minilm-sst2": "tiny-bert-classifier"}


def find():
    """The program of the environment, or one for tests."""
    if "DTATRANS" in os.environ:
        return os.environ["DTATRANS"]
    try:
        return program.build(ROOT, release=False)
    except Failure as failure:
        print(f"SKIPPED: a study through the real program: {failure}")
        raise unittest.SkipTest(str(failure)) from None


class EndToEnd(Workplace):
    def setUp(self):
        super().setUp()
        self.environment = {"DTATRANS": find()}
        for name, source in MODELS.items():
            folder = self.folder / "models" / name
            folder.mkdir(parents=True, exist_ok=True)
            config = json.loads((TINY / source / "config.json").read_text())
            weights = (TINY / source / "model.safetensors").read_bytes()
            if "classifier" in source:
                config["id2label"] = {"0": "no", "1": "yes"}
                weights = two_labels(weights)
            write(folder / "config.json", json.dumps(config))
            (folder / "model.safetensors").write_bytes(weights)
            write(folder / "tokenizer.json", json.dumps(tokenizer()))

    def test_a_quick_study(self):
        status, out, errors = self.run_study("compensation", "--quick", "--json", "--threads", "1")
        self.assertEqual(status, 0, errors)
        rows = json.loads(out)["rows"]
        self.assertEqual(len(rows), 2 * (2 + len(compensation.COMPENSATIONS)))
        by_name = {(row["task"], row["compensation"]): row for row in rows}
        self.assertEqual(by_name["stsb", "all tokens at 8 bits"]["encoder_saved"], 0.0)
        self.assertEqual(by_name["sst2", "all tokens at 4 bits"]["attention_saved"], 75.0)
        for task in compensation.SHARES:
            eight, four, drop = (
                by_name[task, name]["deviation"] for name in ("all tokens at 8 bits", "all tokens at 4 bits", "drop")
            )
            self.assertTrue(0 < eight < four < drop, (eight, four, drop))
        for row in rows:
            self.assertTrue(row["low"] <= row["difference"] <= row["high"], row)
        lines = (self.folder / "output" / "compensation.csv").read_text().splitlines()
        table = list(csv.DictReader(line for line in lines if not line.startswith("# ")))
        self.assertEqual([float(row["deviation"]) for row in table], [row["deviation"] for row in rows])
        root = ElementTree.parse(self.folder / "output" / "compensation.svg").getroot()
        titles = [mark for mark in root.iter() if mark.get("class") == "marker" and len(mark)]
        # All but 8 bits, by deviation and by loss.
        self.assertEqual(len(titles), 2 * (len(rows) - 2))

    def test_a_quick_search(self):
        # Nothing can be chosen for a model of random weights, but all four look.
        status, out, errors = self.run_study("search", "--quick", "--json", "--threads", "1")
        self.assertEqual(status, 0, errors)
        rows = json.loads(out)["rows"]
        self.assertEqual([row["strategy"] for row in rows], ["joint", "uniform", "linear", "random"])
        for row in rows:
            self.assertEqual(row["evaluations"], 12)
            self.assertGreater(row["front"], 0)
            self.assertTrue(row["plan"] is None or row["low"] <= row["loss"] <= row["high"], row)

    def test_quick_stalls(self):
        paragraph = " ".join(["ab c"] * 100)
        write(self.folder / "data" / "wikitext2" / "valid.txt", f" {paragraph} \n" * 8)
        status, out, errors = self.run_study("stalls", "--quick", "--json", "--threads", "1")
        self.assertEqual(status, 0, errors)
        lines = (self.folder / "output" / "stalls.csv").read_text().splitlines()
        rows = list(csv.DictReader(line for line in lines if not line.startswith("# ")))
        # Two lengths, two ratios, two shapes and one of them behind HBM2, three orders, two scopes.
        self.assertEqual(len(rows), 2 * 2 * 3 * 3 * 2)
        of = {}
        for row in rows:
            spent = sum(float(row[f"{cause}_percent"]) for cause in CAUSES)
            self.assertAlmostEqual(spent, 100, delta=0.06)
            self.assertEqual(int(row["element_cycles"]), 512 * int(row["cycles"]))
            # All that is neither work nor promoted work is lost.
            if row["order"] != "promoted":
                self.assertAlmostEqual(float(row["reached"]), float(row["active_percent"]), delta=0.02)
            of.setdefault((row["texts"], row["r8"], row["shape"], row["memory"], row["scope"]), {})[row["order"]] = row
        for (_, _, shape, _, _), orders in of.items():
            tokens = {order: float(row["tokens_8"]) for order, row in orders.items()}
            self.assertEqual(tokens["arrival"], tokens["grouped"])
            # By chance a group fills tiles of few rows already.
            self.assertGreaterEqual(tokens["promoted"], tokens["grouped"])
            if shape == "16x16x2":
                self.assertGreater(tokens["promoted"], tokens["grouped"])
            self.assertEqual(orders["arrival"]["position_table_bytes"], "0")
        document = json.loads(out)
        self.assertEqual(len(document["grouping"]), sum(shape == "4x16x8" for _, _, shape, _, _ in of))
        self.assertLess(min(one["cycles_percent"] for one in document["grouping"]), 0)


def two_labels(weights):
    """A classifier's weights with the first two of its labels only."""
    size = int.from_bytes(weights[:8], "little")
    header = json.loads(weights[8 : 8 + size])
    for name in ("classifier.weight", "classifier.bias"):
        tensor = header[name]
        begin, end = tensor["data_offsets"]
        tensor["data_offsets"][1] = begin + (end - begin) // tensor["shape"][0] * 2
        tensor["shape"][0] = 2
    # The format has no gaps: tensors are put together anew.
    data, tensors = b"", {"__metadata__": header.pop("__metadata__")}
    for name, tensor in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        begin, end = tensor["data_offsets"]
        tensors[name] = tensor | {"data_offsets": [len(data), len(data) + end - begin]}
        data += weights[8 + size + begin : 8 + size + end]
    head = json.dumps(tensors).encode()
    return len(head).to_bytes(8, "little") + head + data


def tokenizer():
    """A WordPiece tokenizer of the letters, each a token."""
    letters = [chr(letter) for letter in range(ord("a"), ord("z") + 1)]
    known = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *letters, *(f"##{letter}" for letter in letters)]
    special = {name: {"id": name, "ids": [known.index(name)], "tokens": [name]} for name in ("[CLS]", "[SEP]")}

    def part(kind, name, sequence=0):
        return {kind: {"id": name, "type_id": sequence}}

    single = [part("SpecialToken", "[CLS]"), part("Sequence", "A"), part("SpecialToken", "[SEP]")]
    pair = [*single, part("Sequence", "B", 1), part("SpecialToken", "[SEP]", 1)]
    return {
        "version": "1.0",
        "added_tokens": [],
        "normalizer": {
            "type": "BertNormalizer",
            "clean_text": True,
            "handle_chinese_chars": True,
            "strip_accents": None,
            "lowercase": True,
        },
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {"type": "TemplateProcessing", "single": single, "pair": pair, "special_tokens": special},
        "model": {
            "type": "WordPiece",
            "unk_token": "[UNK]",
            "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100,
            "vocab": {token: number for number, token in enumerate(known)},
        },
    }
