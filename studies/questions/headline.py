"""What does the method save, and what does it lose, in one table?

Of each task the one plan that was chosen for it, on the split that nothing was
chosen on, with what it loses on the split that it was chosen on beside; what 4-bit
weights would add; and where there is one, a model adapted to its plan."""

from collections import namedtuple

from harness import charts, plans, tables
from harness.evaluation import Request
from harness.failure import Failure
from harness.results import Findings
from harness.setups import SETUPS

SUMMARY = "one plan a task on the reporting splits: what is saved and lost"

# A plan's file, and what its model is called beside the task's own.
PLAN, ADAPTED = "headline", "adapted"

# A model under a plan, and where the plan's file is.
Subject = namedtuple("Subject", "task model plan path")

EIGHT, FOUR, OURS, UNADAPTED = "8 bits", "4 bits", "plan", "plan, model not adapted"
WEIGHTS = ", weights at 4 bits"


def run(study):
    own = list(own_subjects(study))
    adapted = list(adapted_subjects(study))
    requests = {}
    for subject in [*own, *adapted]:
        depth = study.depth(subject.task)
        ours = [(split, OURS, subject.plan) for split in ("reporting", "choosing")]
        others = [
            ("reporting", EIGHT, plans.all_eight(depth)),
            ("reporting", FOUR, plans.all_four(depth, **plans.GROUPS)),
        ]
        if subject in own:
            others += [
                ("reporting", FOUR + WEIGHTS, plans.all_four(depth, **plans.GROUPS).but(weight_bits=4)),
                ("reporting", OURS + WEIGHTS, subject.plan.but(weight_bits=4)),
            ]
        for split, name, plan in [*others, *ours]:
            key = (subject.task, split, subject.model, name)
            requests[key] = Request(subject.task, split, plan, name, model=subject.model)
    for subject in adapted:
        # The same plan, calibrated for the model as it was.
        plan = plans.Plan.read(subject.path)
        for split in ("reporting", "choosing"):
            model = SETUPS[subject.task].model
            requests[subject.task, split, model, UNADAPTED] = Request(subject.task, split, plan, UNADAPTED)
    found = dict(zip(requests, study.measure(list(requests.values()))))

    rows = [
        {"task": task, "split": split, "model": model, "run": name} | tables.measured(measurement)
        for (task, split, model, name), measurement in found.items()
    ]
    tasks = [summary(subject, found) for subject in own]
    for entry, subject in zip(tasks, own):
        for key, name in [("all4_weights4", FOUR), ("under_plan_weights4", OURS)]:
            entry[key] = compared(found[subject.task, "reporting", subject.model, name + WEIGHTS])
    f32 = {entry["task"]: entry["f32"] for entry in tasks}
    of_adapted = []
    for subject in adapted:
        entry = summary(subject, found)
        # What was given up by adapting counts as well.
        entry["f32_before"] = f32[subject.task]
        entry["loss_from_before"] = round(max(0.0, f32[subject.task] - entry["under_plan"]), 2)
        model = SETUPS[subject.task].model
        for split in ("reporting", "choosing"):
            entry[f"not_adapted_{split}"] = compared(found[subject.task, split, model, UNADAPTED])
        of_adapted.append(entry)
    return Findings(
        title="What the method saves and loses",
        rows=rows,
        columns=["task", "split", "model", "run"],
        panels=panels(rows),
        document={
            "tasks": tasks,
            "adapted": of_adapted,
            "mean_loss": mean([entry["loss"] for entry in tasks]),
            "mean_loss_of_resolved": mean([entry["loss"] for entry in tasks if entry["resolved"] == "resolved"]),
        },
        notes=[
            "Reporting splits, and the plan on its choosing split; bars are 95 % intervals. 4 bits: all tokens, "
            "groups of 32 channels as the plans have. Weights at 8 bits where nothing else is said. Gains do "
            "not pay for losses in the mean loss."
        ],
    )


def own_subjects(study):
    """Each task's model under the plan that was chosen for it."""
    chosen = {task: study.chosen_plan(task, PLAN) for task in SETUPS}
    missing = [str(study.plans_folder / task / f"{PLAN}.toml") for task, plan in chosen.items() if plan is None]
    if missing:
        raise Failure(f"no such plan: {', '.join(missing)}: `dtatrans search` chooses one on the choosing split")
    for task, setup in SETUPS.items():
        yield Subject(task, setup.model, *chosen[task])


def adapted_subjects(study):
    """The models that were adapted to a plan, as far as they are there."""
    for task, setup in SETUPS.items():
        model = f"{setup.model}-{ADAPTED}"
        found = study.chosen_plan(task, ADAPTED)
        if found and study.has_model(model):
            plan, path = found
            yield Subject(task, model, study.with_maps_of(model, plan, f"{ADAPTED}.safetensors"), path)


def mean(losses):
    return round(sum(losses) / len(losses), 2) if losses else None


def compared(measurement):
    """Against f32, in points, and per cent saved."""
    score = measurement.metric()
    points = {key: round(score[key], 2) for key in ("f32", "value", "difference", "low", "high")}
    saved = {f"{scope}_saved": round(measurement.saved[scope], 1) for scope in ("attention", "encoder")}
    return points | {"resolved": score["resolved"], "n": measurement.found["n"]} | saved


def shown(path):
    """A plan's path as it stands in the repository."""
    return f"studies/plans/{path.parent.name}/{path.name}"


def summary(subject, found):
    """One model in points and per cent."""
    planned, eight, four = (found[subject.task, "reporting", subject.model, name] for name in (OURS, EIGHT, FOUR))
    score, at_four, at_eight = (measurement.metric() for measurement in (planned, four, eight))
    return {
        "task": subject.task,
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
        "plan_file": shown(subject.path),
        "metric": score["metric"],
        "model": subject.model,
        "difference": round(score["difference"], 2),
        "resolved": score["resolved"],
        "deviation": tables.significant(planned.deviation),
        "int8_loss": round(at_eight["loss"], 2),
        "all4_loss": round(at_four["loss"], 2),
        "all4_interval": [round(at_four["low"], 2), round(at_four["high"], 2)],
        "all4_attention_saved": round(four.saved["attention"], 1),
        "all4_encoder_saved": round(four.saved["encoder"], 1),
        "choosing": compared(found[subject.task, "choosing", subject.model, OURS]),
    }


def panels(rows):
    named = [row | {"name": name_of(row)} for row in rows if row["split"] == "reporting"]
    names = list(dict.fromkeys(row["name"] for row in named))

    def panel(title, label, y, interval):
        marks = [
            charts.series(name, [row for row in named if row["run"] == name], "name", y, interval, line=False)
            for name in (EIGHT, FOUR, OURS)
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
