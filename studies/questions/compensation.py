"""What should a token at 0 bits still do?

Nine compensations, with the same share of the tokens at 0 bits from the third layer
on. They cost differently, so besides the loss at the same share the deviation at the
same cost is compared."""

from harness import charts, plans
from harness.evaluation import Request
from harness.results import Findings
from harness.setups import SETUPS
from harness.tables import significant

SUMMARY = "what should a token at 0 bits still do: nine compensations, by share and at equal cost"

# Shares at 0 bits, by task: each costs five times as much on SST-2's many texts.
SHARES = {"stsb": [0.1, 0.25, 0.4, 0.6], "sst2": [0.25, 0.5]}
FIRST = 2  # layer with 0-bit tokens

COMPENSATIONS = [
    "drop",
    "carry",
    "keys-values",
    "fused",
    "keys-values+fused",
    "predict-diagonal",
    "predict-low-rank",
    "keys-values+predict",
    "attention+predict",
]

# At whose costs the others are compared.
REFERENCE = "keys-values"


def run(study):
    entries = []
    for task, task_shares in SHARES.items():
        depth = study.depth(task)
        for name, plan in [("all tokens at 8 bits", plans.all_eight(depth)), ("all tokens at 4 bits", plans.all_four(depth))]:
            entries.append(({"compensation": name, "r0": 0.0}, Request(task, "choosing", plan, name)))
        for compensation in COMPENSATIONS:
            for r0 in study.few(task_shares, 0.5):
                plan = plans.uniform(depth, r0, FIRST, compensation=compensation)
                about = f"{compensation}, {r0:.0%} at 0 bits"
                cells = {"compensation": compensation, "r0": r0}
                entries.append((cells, Request(task, "choosing", plan, about)))
    rows = study.rows(entries)
    findings = Findings(
        title="What a token at 0 bits should still do",
        rows=rows,
        columns=["task", "split", "compensation", "r0"],
        panels=panels(rows),
        notes=[
            "A share r0 of the tokens at 0 bits from the third layer on, all others at 4 bits; rotation, "
            "balance, clipping. Along a line r0 grows. Choosing splits; bars are 95 % intervals. Calibrated: "
            + "; ".join(f"{task} on {SETUPS[task].calibrated_on}" for task in SHARES)
            + "."
        ],
    )
    findings.document = {"rows": findings.table(), "at_equal_cost": at_equal_cost(rows)}
    return findings


def at_equal_cost(rows):
    """Each compensation's deviation where it saves as much of the encoder as the
    reference at each share: between neighbouring shares the deviation's logarithm
    is taken to be linear in the cost. Null beyond what was measured."""
    found = []
    for task in SHARES:
        lines = {name: of(rows, task, name) for name in COMPENSATIONS}
        for reference in lines[REFERENCE]:
            cost = reference["encoder_saved"]
            deviations = {name: interpolated(line, cost) for name, line in lines.items()}
            found.append({"task": task, "encoder_saved": cost, "deviation": deviations})
    return found


def of(rows, task, compensation):
    """From the line's cheapest end at 4 bits to its largest share."""
    return [row for row in rows if row["task"] == task and row["compensation"] == compensation]


def interpolated(line, cost):
    points = sorted((row["encoder_saved"], row["deviation"]) for row in line)
    for (x0, y0), (x1, y1) in zip(points, points[1:]):
        if x0 <= cost <= x1 and y0 > 0 and y1 > 0:
            share = (cost - x0) / (x1 - x0) if x1 > x0 else 0.0
            return significant(y0 ** (1 - share) * y1**share)
    exact = [y for x, y in points if x == cost]
    return exact[0] if exact else None


def panels(rows):
    made = []
    for task in SHARES:
        title, metric = SETUPS[task].title, SETUPS[task].metric
        for y, label, scale in [
            ("deviation", "deviation from f32", "log"),
            ("difference", f"{metric} - f32, points", "linear"),
        ]:
            lines = [
                charts.series(name, of(rows, task, name), "encoder_saved", y, y == "difference", about="r0")
                for name in ["all tokens at 4 bits", *COMPENSATIONS]
            ]
            x = "saved of the encoder's element-cycles, %"
            made.append(charts.Panel(f"{title}: {label.split(',')[0]}", x, label, lines, scale_y=scale))
    return made
