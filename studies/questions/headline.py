"""What does the method save, and what does it lose, in one table?

Of each task the one plan that was chosen for it, on the split that nothing was
chosen on; and where there is one, a model adapted to its plan."""

from harness import charts, plans, tables
from harness.evaluation import Request
from harness.failure import Failure
from harness.results import Findings
from harness.setups import SETUPS

SUMMARY = "one plan a task on the reporting splits: what is saved and lost"

# A plan's file, and what its model is called beside the task's own.
PLAN, ADAPTED = "headline", "adapted"


def run(study):
    chosen = {task: study.chosen_plan(task, PLAN) for task in SETUPS}
    missing = [str(study.plans_folder / task / f"{PLAN}.toml") for task, plan in chosen.items() if plan is None]
    if missing:
        raise Failure(f"no such plan: {', '.join(missing)}: `dtatrans search` chooses one on the choosing split")
    subjects = [(task, SETUPS[task].model, *chosen[task]) for task in SETUPS]
    for task, setup in SETUPS.items():
        model = f"{setup.model}-{ADAPTED}"
        found = study.chosen_plan(task, ADAPTED)
        if found and study.has_model(model):
            plan, path = found
            subjects.append((task, model, study.with_maps_of(model, plan, f"{ADAPTED}.safetensors"), path))

    requests = []
    for task, model, plan, _ in subjects:
        depth = study.depth(task)
        for name, compared in [
            ("all tokens at 8 bits", plans.all_eight(depth)),
            ("all tokens at 4 bits", plans.all_four(depth)),
            ("the plan", plan),
        ]:
            requests.append(Request(task, "reporting", compared, name, model=model))
    found = iter(study.measure(requests))

    rows, own, adapted = [], [], []
    for task, model, _, path in subjects:
        eight, four, planned = (next(found) for _ in range(3))
        entry = summary(task, model, shown(path), eight, four, planned)
        is_own = model == SETUPS[task].model
        (own if is_own else adapted).append(entry)
        for name, measurement in [("8 bits", eight), ("4 bits", four), ("plan", planned)]:
            cells = {"task": task, "split": "reporting", "model": model, "run": name}
            rows.append(cells | tables.measured(measurement))
    f32 = {entry["task"]: entry["f32"] for entry in own}
    for entry in adapted:
        # What was given up by adapting counts as well.
        entry["f32_before"] = f32[entry["task"]]
        entry["loss_from_before"] = round(max(0.0, f32[entry["task"]] - entry["under_plan"]), 2)
    return Findings(
        title="What the method saves and loses",
        rows=rows,
        columns=["task", "split", "model", "run"],
        panels=panels(rows),
        document={
            "tasks": own,
            "adapted": adapted,
            "mean_loss": round(sum(entry["loss"] for entry in own) / len(own), 2),
        },
        notes=["Reporting splits; bars are 95 % intervals. Gains do not pay for losses in the mean loss."],
    )


def shown(path):
    """A plan's path as it stands in the repository."""
    return f"studies/plans/{path.parent.name}/{path.name}"


def summary(task, model, plan_file, eight, four, planned):
    """One task in points and per cent."""
    score, at_four, at_eight = (found.metric() for found in (planned, four, eight))
    return {
        "task": task,
        "n": planned.found["n"],
        "tokens_mean": round(planned.found["tokens_mean"], 1),
        "f32": round(score["f32"], 2),
        "int8": round(at_eight["value"], 2),
        "all4": round(at_four["value"], 2),
        "under_plan": round(score["value"], 2),
        "loss": round(score["loss"], 2),
        "interval": [round(score["low"], 2), round(score["high"], 2)],
        "attention_saved": round(planned.saved["attention"], 1),
        "encoder_saved": round(planned.saved["encoder"], 1),
        "plan_file": plan_file,
        "metric": score["metric"],
        "model": model,
        "difference": round(score["difference"], 2),
        "resolved": score["resolved"],
        "deviation": tables.significant(planned.deviation),
        "int8_loss": round(at_eight["loss"], 2),
        "all4_loss": round(at_four["loss"], 2),
        "all4_interval": [round(at_four["low"], 2), round(at_four["high"], 2)],
        "all4_attention_saved": round(four.saved["attention"], 1),
        "all4_encoder_saved": round(four.saved["encoder"], 1),
    }


def panels(rows):
    names = list(dict.fromkeys(name_of(row) for row in rows))
    named = [row | {"name": name_of(row)} for row in rows]

    def panel(title, label, y, interval):
        marks = [
            charts.series(name, [row for row in named if row["run"] == name], "name", y, interval, line=False)
            for name in ("8 bits", "4 bits", "plan")
        ]
        return charts.Panel(title, "", label, marks, categories=names)

    return [
        panel("accuracy", "metric - f32, points", "difference", True),
        panel("deviation", "deviation from f32", "deviation", False),
        panel("saved: attention", "% of element-cycles", "attention_saved", False),
        panel("saved: encoder", "% of element-cycles", "encoder_saved", False),
    ]


def name_of(row):
    """The task, and whether its model is an adapted one."""
    return row["task"] if row["model"] == SETUPS[row["task"]].model else f"{row['task']}, adapted"
