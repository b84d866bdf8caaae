"""Folders for a test: generated data, models, plans, a cache, and the command."""

import json
import os
import random
import subprocess
import sys
import tempfile
import unittest
from functools import cache
from pathlib import Path

STUDIES = Path(__file__).resolve().parent.parent
ROOT = STUDIES.parent
FAKE = STUDIES / "tests" / "fake_dtatrans.py"


class Workplace(unittest.TestCase):
    """A test with folders of its own, which is run from them."""

    def setUp(self):
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.environment = {"DTATRANS": str(self.fake_program()), "FAKE_LOG": str(self.folder / "log")}
        for name, text in data().items():
            write(self.folder / "data" / name, text)
        for name in ("minilm-sst2", "minilm-cola"):
            write(self.folder / "models" / name / "config.json", json.dumps({"num_hidden_layers": 3}))

    def fake_program(self, more=""):
        """The fake program, run by this very interpreter, with more text at its
        end."""
        path = self.folder / "dtatrans"
        write(path, f"#!{sys.executable} -IS\n{FAKE.read_text()}{more}")
        path.chmod(0o755)
        return path

    def arguments(self, *more):
        options = {name: self.folder / name for name in ("data", "models", "plans", "output", "cache")}
        parts = [f"--{name}={path}" for name, path in options.items()]
        return [sys.executable, str(STUDIES / "run"), *more, *parts]

    def start(self, *more, **environment):
        return subprocess.Popen(
            self.arguments(*more),
            env=os.environ | self.environment | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run_study(self, *more, **environment):
        """Exit status, standard output and standard error."""
        process = self.start(*more, **environment)
        out, errors = process.communicate(timeout=300)
        return process.returncode, out, errors

    def noted(self):
        """What the fake program has done since the last time."""
        log = self.folder / "log"
        lines = log.read_text().split() if log.exists() else []
        log.unlink(missing_ok=True)
        return lines


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@cache
def data():
    """Sets of a few lines in the formats of the public ones, of words that mean
    nothing: texts by the names of their files."""
    draw = random.Random(0)

    def words(least, most):
        return " ".join(
            "".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=draw.randint(1, 4)))
            for _ in range(draw.randint(least, most))
        )

    def pairs():
        rows = (f"{words(3, 6)}\t{words(3, 6)}\t{draw.uniform(0, 5):.3f}\n" for _ in range(40))
        return "sentence1\tsentence2\tscore\n" + "".join(rows)

    def reviews():
        return "sentence\tlabel\n" + "".join(f"{words(7, 10)} \t{draw.randint(0, 1)}\n" for _ in range(60))

    def judgements(lines):
        return "".join(f"src\t{draw.randint(0, 1)}\t\t{words(3, 7)}\n" for _ in range(lines))

    def articles():
        return "".join(f" \n = {words(1, 1)} = \n \n {words(60, 60)} \n" for _ in range(12))

    parts = ("train", "dev", "test")
    return {
        **{f"stsb/{part}.tsv": pairs() for part in parts},
        **{f"sst2/{part}.tsv": reviews() for part in parts},
        "cola/in_domain_train.tsv": judgements(5040),
        "cola/in_domain_dev.tsv": judgements(30),
        "cola/out_of_domain_dev.tsv": judgements(30),
        "wikitext2/valid.txt": articles(),
    }


def write_plan(path, layers=6, r0=0.5, compensation="keys-values"):
    """A chosen plan, as `dtatrans search` writes it."""
    head = '# Found by a search.\nformat = 1\nname = "mine"\n' + f'compensation = "{compensation}"\n'
    head += "rotation = true\nclipping = true\nweight_bits = 8\n"
    head += 'probability_bits = "tier"\nprotected_bits = 4\n'
    shares = [0.0] + [r0] * (layers - 1)
    write(path, head + "".join(f"[[layer]]\nr8 = 0.0\nr4 = {1 - r0}\nr0 = {r0}\n" for r0 in shares))
