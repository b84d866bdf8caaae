"""What should rank the tokens?

Ten forms of importance, three of them controls, with the same share of the tokens
at 0 bits from the third layer on, and with compensations under which a token that
was left out can be seen again, cannot, or is estimated."""

from harness import charts, plans
from harness.evaluation import Request
from harness.results import Findings
from harness.setups import SETUPS

SUMMARY = "what should rank the tokens: ten forms of importance under three compensations"

R0 = 0.4
FIRST = 2  # layer with 0-bit tokens

# The name of the plan's key, with a prior per token id beside it or none.
PRIOR = "cumulative, prior"
IMPORTANCES = [
    "cumulative",
    PRIOR,
    "last-layer",
    "decayed",
    "value-weighted",
    "returning",
    "waiting",
    "static",
    "reversed",
    "random",
]
CONTROLS = ["static", "reversed", "random"]

# Tasks with the compensations and the forms that are tried there: SST-2's many texts
# and long ones take too long for all.
TRIED = {
    "stsb": (["keys-values", "drop", "predict-low-rank"], IMPORTANCES),
    "sst2": (["keys-values", "drop"], IMPORTANCES),
    "long-text": (["keys-values"], [name for name in IMPORTANCES if name not in CONTROLS]),
}


def run(study):
    entries = []
    for task, (compensations, importances) in TRIED.items():
        depth = study.depth(task)
        four = {"compensation": "all tokens at 4 bits", "importance": "none"}
        entries.append((four, Request(task, "choosing", plans.all_four(depth), "all tokens at 4 bits")))
        for compensation in study.few(compensations, "keys-values"):
            for importance in importances:
                prior = {"prior": True} if importance in ("static", PRIOR) else {}
                key = importance.removesuffix(", prior")
                plan = plans.uniform(depth, R0, FIRST, compensation=compensation, importance=key, **prior)
                about = f"{importance}, {compensation}"
                cells = {"compensation": compensation, "importance": importance}
                entries.append((cells, Request(task, "choosing", plan, about)))
    rows = study.rows(entries)
    return Findings(
        title="What should rank the tokens",
        rows=rows,
        columns=["task", "split", "compensation", "importance"],
        panels=panels(rows),
        notes=[
            f"{R0:.0%} of the tokens at 0 bits from the third layer on, all others at 4 bits; rotation, balance, "
            "clipping. Choosing splits; bars are 95 % intervals. Controls: static (by token id), reversed, random. "
            "Calibrated: "
            + "; ".join(f"{task} on {SETUPS[task].calibrated_on}" for task in ("stsb", "sst2"))
            + "."
        ],
    )


def panels(rows):
    made = []
    for task, (compensations, importances) in TRIED.items():
        title, metric = SETUPS[task].title, SETUPS[task].metric
        of_task = [row for row in rows if row["task"] == task]
        for y, label, scale in [
            ("deviation", "deviation from f32", "log"),
            ("difference", f"{metric} - f32, points", "linear"),
        ]:
            marks = [
                charts.series(
                    compensation,
                    [row for row in of_task if row["compensation"] == compensation],
                    x="importance",
                    y=y,
                    ends=y == "difference",
                    line=False,
                )
                for compensation in compensations
            ]
            (four,) = (row[y] for row in of_task if row["importance"] == "none")
            level = (four, "all tokens at 4 bits")
            made.append(charts.Panel(title, "", label, marks, scale_y=scale, categories=importances, level=level))
    return made
