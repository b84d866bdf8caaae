"""In the place of the program: says at once what follows from the plan's text, and
notes each plan and calibration in the file that FAKE_LOG names. With FAKE_HANG=N it
hangs before plan N + 1, with FAKE_FAIL=N it fails there."""

import hashlib
import json
import os
import sys
import time


def main():
    command, *arguments = sys.argv[1:]
    options = {}
    for name, value in zip(arguments, arguments[1:]):
        if name.startswith("--"):
            options.setdefault(name, []).append(value)
    if command == "models":
        answer = {"models": [{"name": "minilm", "package": "fake 1.0 (PyPI)"}]}
        print(json.dumps(answer))
    elif command == "calibrate":
        note("calibrate")
        with open(options["--plan"][0]) as file:
            if "FAKE_FEW" in os.environ and "r0 = 0.5" not in file.read():
                sys.exit("error: calibration: layer 1: only 9 tokens were at 0 bits in these texts: at least 10 are needed")
        with open(options["--output"][0], "w") as file:
            file.write("calibration")
        print(json.dumps({"bytes": 11}))
    elif command == "eval":
        # A run at f32 for all plans of the process.
        note("f32")
        for number, plan in enumerate(options["--plan"]):
            if number == int(os.environ.get("FAKE_HANG", -1)):
                time.sleep(600)
            if number == int(os.environ.get("FAKE_FAIL", -1)):
                sys.exit("error: --plan x.toml: something is wrong")
            with open(plan) as file:
                text = file.read()
            note("plan")
            print(json.dumps(evaluation(options["--task"][0], text)), flush=True)


def evaluation(task, text):
    share = int(hashlib.sha256(text.encode()).hexdigest()[:4], 16) / 0xFFFF
    names = {"stsb": ["spearman"], "long-text": ["mrr", "recall@1"], "cola": ["matthews"]}.get(task, ["accuracy"])
    interval = {"difference": -share, "low": -share - 1.0, "high": -share + 0.9, "resolved": False}
    against = {"f32_value": 80.0, "loss": share, "difference": interval}
    found = {
        "model": "fake",
        "task": task,
        "metric": names[0],
        "value": 80.0 - share,
        "n": 100,
        "inputs": 200,
        "tokens_mean": 12.34,
        "plan": "plan",
        "metrics": [{"name": name, "value": 80.0 - share, "against_f32": against} for name in names],
        "saved": {"attention": 0.5 + share / 4, "encoder": 0.3 + share / 4},
        "seconds": 0.01,
        "against_f32": against,
        "deviation": {"measure": "pair-cosines", "value": 0.01 + share / 10, "mean_cosine_distance": 0.02},
    }
    if task in ("sst2", "cola", "movie-snippets"):
        found["deviation"] = {"measure": "divergence", "value": 0.01 + share / 10}
    return found


def note(what):
    if "FAKE_LOG" in os.environ:
        with open(os.environ["FAKE_LOG"], "a") as file:
            file.write(what + "\n")


main()
