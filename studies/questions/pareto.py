"""What does accuracy cost, on texts that nothing was chosen on?

The plans that were chosen for each task, beside one ratio for all layers, SpAtten's
pruning at 4 and at 8 bits, and no tiers at all."""

from harness import charts, plans
from harness.evaluation import Request
from harness.results import Findings
from harness.setups import SETUPS

SUMMARY = "accuracy against cost on the reporting splits: chosen plans, one ratio, SpAtten's pruning"

UNIFORM = [0.15, 0.3, 0.5]
ENDS = [0.75, 0.5, 0.25]

OURS, ALL_FOUR, ALL_EIGHT = "chosen plans", "all tokens at 4 bits", "all tokens at 8 bits"


def run(study):
    entries = []
    for task in SETUPS:
        depth = study.depth(task)
        four = plans.all_four(depth, **plans.GROUPS)
        compared = [(ALL_EIGHT, "", plans.all_eight(depth)), (ALL_FOUR, "", four)]
        compared += [(ALL_FOUR, "weights at 4 bits", four.but(weight_bits=4))]
        for r0 in study.few(UNIFORM, 0.5):
            compared.append(("one ratio", f"r0 = {r0}", plans.uniform(depth, r0, first=1, **plans.GROUPS)))
        for bits in (4, 8):
            for end in study.few(ENDS, 0.5):
                pruned = plans.spatten(depth, end, bits, **plans.GROUPS)
                compared.append((f"SpAtten's pruning, {bits} bits", f"keeps {end:.0%} at the end", pruned))
        compared += [(OURS, name, plan) for name, plan in study.chosen_plans(task).items()]
        for family, name, plan in compared:
            about = f"{family} {name}".strip()
            entries.append(({"family": family, "plan": name}, Request(task, "reporting", plan, about)))
    rows = study.rows(entries)
    return Findings(
        title="Accuracy against cost on texts that nothing was chosen on",
        rows=rows,
        columns=["task", "split", "family", "plan"],
        panels=panels(rows),
        notes=[
            "One ratio: a share at 0 bits from the second layer on, keys-values, all others at 4 bits. SpAtten's "
            "pruning: tokens leave for good, linearly more after the first 15 % of the layers. All have groups of 32 "
            "channels where they are at 4 bits, as the chosen plans, and weights at 8 bits but for the second point "
            "of all tokens at 4 bits. Reporting splits; bars are 95 % intervals."
        ],
    )


def panels(rows):
    made = []
    families = list(dict.fromkeys(row["family"] for row in rows))
    for task, setup in SETUPS.items():
        of_task = [row for row in rows if row["task"] == task]
        for cost, what in [("encoder_saved", "encoder"), ("attention_saved", "attention")]:
            lines = []
            for family in families:
                of_family = [row for row in of_task if row["family"] == family]
                of_family.sort(key=lambda row: row[cost])
                lines.append(charts.series(family, of_family, cost, "difference", True, about="plan"))
            x = f"saved of the {what}'s element-cycles, %"
            made.append(charts.Panel(f"{setup.title}: {what}", x, f"{setup.metric} - f32, points", lines))
    return made
