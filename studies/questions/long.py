"""What remains on long texts, where attention costs most?

The plans that were chosen for long texts of 384 tokens, beside no tiers, at other
lengths and by both metrics."""

from harness import charts, plans, tables
from harness.evaluation import Request
from harness.results import Findings
from harness.setups import SETUPS

SUMMARY = "long texts: the chosen plans at windows of 300, 384 and 480 tokens"

TASK = "long-text"
LENGTHS = [300, 384, 480]
METRICS = ["mrr", "recall@1"]

# The length that the task has unless told otherwise.
USUAL = 384


def run(study):
    depth = study.depth(TASK)
    compared = {
        "all tokens at 8 bits": plans.all_eight(depth),
        "all tokens at 4 bits": plans.all_four(depth, **plans.GROUPS),
    } | study.chosen_plans(TASK)
    cells, requests = [], []
    for length in study.few(LENGTHS, USUAL):
        options = () if length == USUAL else ("--window-tokens", str(length))
        for name, plan in compared.items():
            cells.append({"task": TASK, "split": "reporting", "plan": name, "window_tokens": length})
            requests.append(Request(TASK, "reporting", plan, name, options))
    rows = [
        about | tables.measured(measurement, metric)
        for about, measurement in zip(cells, study.measure(requests))
        for metric in METRICS
    ]
    return Findings(
        title="Long texts",
        rows=rows,
        columns=["task", "split", "plan", "window_tokens"],
        panels=panels(rows, compared),
        notes=[
            "n: queries; intervals are of whole articles drawn. Plans were chosen at 384 tokens. "
            f"{SETUPS[TASK].reporting.about}; bars are 95 % intervals."
        ],
    )


def panels(rows, compared):
    made = []
    first = [row for row in rows if row["metric"] == METRICS[0]]
    lengths = [str(length) for length in sorted({row["window_tokens"] for row in rows})]

    def panel(title, label, rows, y, interval):
        named = [row | {"length": str(row["window_tokens"])} for row in rows]
        marks = [
            charts.series(name, [row for row in named if row["plan"] == name], "length", y, interval, line=False)
            for name in compared
        ]
        return charts.Panel(title, "tokens of a window", label, marks, categories=lengths)

    for metric in METRICS:
        of_metric = [row for row in rows if row["metric"] == metric]
        made.append(panel(metric, f"{metric} - f32, points", of_metric, "difference", True))
    for cost in ("attention", "encoder"):
        made.append(panel(f"saved: {cost}", "% of element-cycles", first, f"{cost}_saved", False))
    return made
