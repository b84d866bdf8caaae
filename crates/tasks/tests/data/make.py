"""Random cases with the figures of the reference implementations, for tests/references.rs.

    python -m venv venv
    venv/bin/pip install seqeval==1.2.2
    venv/bin/pip install --no-deps transformers==4.44.2
    venv/bin/python make.py

seqeval gives entities.json; the copy of SQuAD's official evaluation in transformers gives answers.json.
All words are invented.
"""

import importlib.util
import json
import random
import warnings
from collections import namedtuple
from pathlib import Path

from seqeval.metrics import f1_score, precision_score, recall_score

FOLDER = Path(__file__).parent


def squad_metrics():
    """transformers.data.metrics.squad_metrics, without the package around it."""
    package = Path(importlib.util.find_spec("transformers").origin).parent
    source = (package / "data/metrics/squad_metrics.py").read_text()
    for line in [
        "from ...models.bert import BasicTokenizer",
        "from ...utils import logging",
        "logger = logging.get_logger(__name__)",
    ]:
        assert line in source
        source = source.replace(line, "")
    names = {}
    exec(compile(source, "squad_metrics.py", "exec"), names)
    return names


def entity_cases(rng):
    def tags(n, places):
        kinds = rng.choice([["vel"], ["vel", "tor"], ["vel", "tor", "x-y"]])
        outside = rng.random()
        return [
            "O" if rng.random() < outside else f"{rng.choice(places)}-{rng.choice(kinds)}"
            for _ in range(n)
        ]

    def disturbed(truth, places):
        rate = rng.choice([0.0, 0.1, 0.5, 1.0])
        return [t if rng.random() >= rate else tags(1, places)[0] for t in truth]

    for _ in range(80):
        places = rng.choice(["BI", "I", "BIES", "BI", "ES"])
        truth = [tags(rng.randint(1, 12), places) for _ in range(rng.randint(1, 6))]
        predicted = [disturbed(sentence, rng.choice([places, "BIES"])) for sentence in truth]
        yield {
            "truth": [" ".join(sentence) for sentence in truth],
            "predicted": [" ".join(sentence) for sentence in predicted],
            "precision": 100 * float(precision_score(truth, predicted)),
            "recall": 100 * float(recall_score(truth, predicted)),
            "f1": 100 * float(f1_score(truth, predicted)),
        }


def answer_cases(rng, squad):
    words = ["the", "A", "an", "The", "brool", "Vindel", "vindel", "tarn", "theatre", "ané", "ÉLON",
             "İst", "strasse", "a-b", "x_the", "42", "4.2", "$9", "...", "'", "ΣΑΣ", "the,", "“q”", "—"]
    spaces = [" ", " ", " ", "  ", "\t", "\n", "\u00a0", "\u2003", "\x1c", "-", "_"]

    def text(most):
        chosen = [rng.choice(words) for _ in range(rng.randint(0, most))]
        return "".join(word + rng.choice(spaces) for word in chosen)[: rng.choice([None, -1])]

    def near(answer):
        return "".join(c for c in answer if rng.random() > 0.1).swapcase()

    Example = namedtuple("Example", "qas_id answers")
    examples, predictions = [], {}
    for number in range(200):
        answers = [text(5) for _ in range(rng.choice([0, 1, 1, 2, 3]))]
        predicted = rng.choice([text(5), "", *answers, *map(near, answers)])
        examples.append(Example(str(number), [{"text": answer} for answer in answers]))
        predictions[str(number)] = predicted
    exact, f1 = squad["get_raw_scores"](examples, predictions)
    total = squad["squad_evaluate"](examples, predictions)
    cases = [
        {
            "answers": [answer["text"] for answer in example.answers],
            "predicted": predictions[example.qas_id],
            "exact": float(exact[example.qas_id]),
            "f1": float(f1[example.qas_id]),
        }
        for example in examples
    ]
    return {"cases": cases, "exact": total["exact"], "f1": total["f1"]}


def write(name, value):
    (FOLDER / name).write_text(json.dumps(value, indent=0, ensure_ascii=True) + "\n")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    write("entities.json", list(entity_cases(random.Random(1))))
    write("answers.json", answer_cases(random.Random(2), squad_metrics()))
