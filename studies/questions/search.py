"""Does the joint search choose better than simpler ways, at the same number of
evaluations, on texts that it never saw?

`dtatrans search --compare` on pairs of STS-B's training set: the joint search,
uniform ratios, SpAtten's linear schedule, and random search; the plan that each
chooses is then measured on STS-B dev."""

import tomllib

from harness import charts
from harness.results import Findings
from harness.setups import SETUPS
from harness.texts import QUICK_CALIBRATION_LINES

SUMMARY = "the joint search beside uniform and linear schedules and random search, on unseen texts"

TASK = "stsb"
BUDGET = 1.0

# Pairs that plans are tried on: every seventh, since the set is not mixed.
PAIRS = dict(first=3, last=5250, step=7)

COLUMNS = [
    "strategy",
    "evaluations",
    "budget",
    "loss_searched",
    "estimated_loss",
    "n",
    "loss",
    "low",
    "high",
    "attention_saved",
    "encoder_saved",
    "front",
    "plan",
]


def run(study):
    pairs = dict(quick=QUICK_CALIBRATION_LINES) if study.quick else PAIRS
    searched = study.evaluator.texts.rows("stsb/train.tsv", header=True, **pairs)
    unseen = SETUPS[TASK].choosing
    found = study.search(
        SETUPS[TASK].model,
        searched=("750 pairs of STS-B train, every seventh", ["--task", TASK, "--data", searched]),
        unseen=(unseen.about, ["--validate", unseen.arguments(study.evaluator.texts)[-1]]),
        budget=BUDGET,
        evaluations=12 if study.quick else 80,
    )
    rows = [row(found, strategy) for strategy in found["strategies"]]
    return Findings(
        title="What each way of choosing finds with as many evaluations",
        rows=rows,
        columns=COLUMNS,
        shared=[],
        panels=[front(found)],
        across=1,
        notes=[
            "Each way may choose the ratios and the compensation of every layer, and takes the plan that saves most "
            "of the encoder within the budget by its own estimate. loss_searched: on the pairs that it saw; loss, "
            "low, high: on the unseen ones, points, low to high the 95 % paired bootstrap interval, below 0 where "
            "it gains; saved: per cent of the dense 8-bit model's element-cycles, there; front: how many plans no "
            "other beats in both loss and cost."
        ],
    )


def row(found, strategy):
    cells = {
        "strategy": strategy["strategy"],
        "evaluations": strategy["evaluations"],
        "budget": found["budget"],
        "front": len(strategy["pareto"]),
    }
    chosen, validated = strategy.get("chosen"), strategy.get("validated")
    if not chosen:
        return cells
    return cells | {
        "loss_searched": round(chosen["loss"], 3),
        "estimated_loss": round(chosen["estimated_loss"], 3),
        "n": validated["items"],
        "loss": round(validated["loss"], 3),
        "low": round(validated["loss_low"], 3),
        "high": round(validated["loss_high"], 3),
        "attention_saved": round(100 * validated["attention_saved"], 2),
        "encoder_saved": round(100 * validated["encoder_saved"], 2),
        "plan": layers(chosen["plan"]),
    }


def layers(text):
    """A plan's layers in one line: shares at 8, 4 and 0 bits, and the compensation
    where it is not the plan's."""
    def one(layer):
        shares = "/".join(f"{round(100 * layer[key])}" for key in ("r8", "r4", "r0"))
        return f"{shares} {layer.get('compensation', '')}".strip()

    return "; ".join(map(one, tomllib.loads(text)["layer"]))


def front(found):
    lines = []
    for strategy in found["strategies"]:
        points = [
            {"saved": 100 * plan["encoder_saved"], "loss": plan["estimated_loss"]} for plan in strategy["pareto"]
        ]
        points.sort(key=lambda point: point["saved"])
        lines.append(charts.series(strategy["strategy"], points, "saved", "loss"))
    x = "saved of the encoder's element-cycles, %"
    return charts.Panel("plans that no other beats", x, "estimated loss, points, on the pairs searched", lines)
