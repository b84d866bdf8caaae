"""Which tokens tolerate fewer bits?

The paper opens with the finding that tokens which receive little attention do. Here
a share of the tokens is degraded from the second layer on, the others stay at 8
bits, and the share is taken from the least attended tokens, from the most attended
ones, at random, or by token id alone, whatever the text. How far the first differs
from the last two is what it is worth to look at the attention, text by text."""

from harness import charts, plans
from harness.evaluation import Request
from harness.plans import METHOD_AT_EIGHT, Plan, shares
from harness.results import Findings
from harness.setups import SETUPS

SUMMARY = "which tokens tolerate fewer bits: the least attended, the most, any, or certain words?"

TASKS = ["stsb", "sst2"]
SHARES = [0.1, 0.25, 0.5, 0.75, 0.9]

# Nothing that makes 4 bits milder: what is degraded should suffer.
PLAIN = METHOD_AT_EIGHT | {"rotation": False, "balance": False, "clipping": False}

# What becomes of a share of the tokens: the plan's keys, and a layer.
DEGRADED = {
    "4 bits": (PLAIN, lambda share: shares(r8=1 - share, r4=share)),
    "0 bits, keys-values": (METHOD_AT_EIGHT, lambda share: shares(r8=1 - share)),
    "0 bits, drop": (METHOD_AT_EIGHT | {"compensation": "drop"}, lambda share: shares(r8=1 - share)),
}

# Which tokens those are, by the importance that keeps the others.
ORDERS = {
    "least attended": {"importance": "cumulative"},
    "most attended": {"importance": "reversed"},
    "random": {"importance": "random"},
    "by token id": {"importance": "static", "prior": True},
}


def run(study):
    entries = []
    for task in TASKS:
        depth = study.depth(task)

        def request(plan, about):
            return Request(task, "choosing", plan, about)

        four = {"degraded_to": "4 bits, all of the method", "order": "all tokens", "share": 1.0}
        entries.append((four, request(plans.all_four(depth), "all tokens at 4 bits")))
        for degraded, (keys, layer) in DEGRADED.items():
            cells = {"degraded_to": degraded, "order": "none", "share": 0.0}
            eight = Plan(keys | {"compensation": METHOD_AT_EIGHT["compensation"]}, [shares(r8=1)] * depth)
            entries.append((cells, request(eight, "all tokens at 8 bits")))
            for order, choice in ORDERS.items():
                for share in study.few(SHARES, 0.5):
                    plan = Plan(keys | choice, [shares(r8=1)] + [layer(share)] * (depth - 1))
                    cells = {"degraded_to": degraded, "order": order, "share": share}
                    entries.append((cells, request(plan, f"{degraded}, {order}, {share:.0%}")))
    rows = study.rows(entries)
    return Findings(
        title="Which tokens tolerate fewer bits",
        rows=rows,
        columns=["task", "split", "degraded_to", "order", "share"],
        panels=panels(rows),
        across=3,
        notes=[
            "A share of the tokens is degraded from the second layer on, all others are at 8 bits. "
            "To 4 bits: without rotation, balance and clipping. Choosing splits; bars are 95 % intervals."
        ],
    )


def panels(rows):
    made = []
    for task in TASKS:
        for y, label in [("deviation", "deviation from f32"), ("difference", f"{SETUPS[task].metric} - f32, points")]:
            for degraded in DEGRADED:
                of_kind = [row for row in rows if row["task"] == task and row["degraded_to"] == degraded]
                # Where nothing is degraded the deviation is too small for its scale.
                start = [row for row in of_kind if row["order"] == "none" and y == "difference"]
                lines = [
                    charts.series(
                        order,
                        start + [row for row in of_kind if row["order"] == order],
                        x="share",
                        y=y,
                        ends=y == "difference",
                    )
                    for order in ORDERS
                ]
                title = f"{SETUPS[task].title}: to {degraded}"
                scale = "log" if y == "deviation" else "linear"
                made.append(charts.Panel(title, "share of the tokens", label, lines, scale_y=scale, apart=3))
    return made
