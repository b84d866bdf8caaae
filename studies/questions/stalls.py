"""What do tokens of mixed widths cost the variable-speed array?

A wide token slows the whole tile that it enters. The same plans run with tokens in the
order of the text, grouped by bits, and grouped with whole tiles (`round_to`), on arrays
of one size and six shapes; what grouping costs in DRAM is seen behind HBM2."""

from pathlib import Path

from harness import charts, files, plans
from harness.failure import Failure
from harness.results import Findings
from harness.simulation import CAUSES, Simulation, tiers

SUMMARY = "the variable-speed array: what mixed widths cost, by order, ratio and shape"

MODEL, MACHINE, MEMORY = "minilm", "vssa-512", "hbm2 x 2"
MACHINES = Path(__file__).resolve().parents[2] / "machines"

# Shares at 8 and at 4 bits, and the least bits of [CLS] and [SEP].
RATIOS = [
    (1.0, 0.0, 8), (0.5, 0.5, 4), (0.25, 0.75, 4), (0.25, 0.4, 4), (0.1, 0.4, 4), (0.05, 0.35, 4),
    (0.0, 1.0, 8), (0.0, 0.35, 8), (0.0, 1.0, 4), (0.0, 0.65, 4), (0.0, 0.35, 4),
]  # fmt: skip

# Rows, columns and arrays of 512 elements.
SHAPES = [(4, 4, 32), (4, 16, 8), (8, 8, 8), (8, 16, 4), (16, 16, 2), (16, 32, 1), (32, 16, 1)]
# The shape of the machine's own file, and the ratios that it runs behind HBM2 too.
BUILT_IN = (4, 16, 8)
OWN = "x".join(map(str, BUILT_IN))
BEHIND_HBM2 = [(0.25, 0.4, 4), (0.05, 0.35, 4), (0.0, 0.35, 4)]

ORDERS = ["arrival", "grouped", "promoted"]
SCOPES = ["attention", "encoder"]

# Every so many sentences, and so many paragraphs of so many words.
SHORT_STEP = 28
LONG_WORDS, LONG_COUNT = (180, 260), 8

# A place in the table of the order: `INDEX_BITS` of crates/accel/src/blocks/mod.rs.
POSITION_BYTES = 2

COLUMNS = [
    "texts", "tokens", "r8", "r4", "protected_bits", "shape", "order", "memory", "scope",
    "cycles", "effective_gops", "ideal_gops", "reached",
    *(f"{cause}_percent" for cause in CAUSES),
    "element_cycles", "tokens_8", "tokens_4", "dram_bytes", "dram_row_hits", "dram_row_misses", "dram_row_conflicts",
    "position_table_bytes", "energy_on_chip_uj", "energy_uj",
]  # fmt: skip

UNITS = (
    "cycles, element_cycles, dram and energy: of all texts; ideal_gops: if every element worked in every "
    "cycle on the plan without promotion; reached: per cent of it; _percent: of all element-cycles, tail "
    "being the padding of partial tiles; tokens, tokens_8, tokens_4: means of a text, the last two at a "
    "layer behind the first; dram_row_*: bursts that met an open row, a closed bank, another row; "
    "position_table_bytes: in the buffer, of the longest text; shape: rows x columns x arrays"
)


def run(study):
    simulation = Simulation(study.evaluator)
    study.machines.add(study.evaluator.machine)
    texts = {"short": short(study), "long": long(study)}
    hbm2 = behind_hbm2(study)
    ratios = study.few(RATIOS, *BEHIND_HBM2[:2])
    progress = study.evaluator.progress
    progress.total = len(texts) * len(ratios)
    rows = []
    for name, file in texts.items():
        for ratio in ratios:
            for shape in study.few(SHAPES, BUILT_IN, (16, 16, 2)):
                about = {"texts": name, "shape": "x".join(map(str, shape))} | dict(
                    zip(("r8", "r4", "protected_bits"), ratio)
                )
                memories = {"64 GB/s": MACHINE}
                if shape == BUILT_IN and ratio in BEHIND_HBM2:
                    memories[MEMORY] = hbm2
                for memory, machine in memories.items():
                    rows += of_point(simulation, study, file, ratio, shape, machine, about | {"memory": memory})
            progress.done += 1
            progress.say(f"{name} texts: {label(ratio)}")
    return Findings(
        title="What mixed widths cost the variable-speed array",
        rows=rows,
        columns=COLUMNS,
        shared=[],
        units=UNITS,
        panels=panels(rows),
        document=document(rows),
        notes=[
            f"{MODEL} under keys-values, all layers but the first, which is at 4 bits (at 8 where all are); "
            f"{MACHINE} with 512 elements, 1 GHz, grouped by bits: widest first; promoted: the plan's round_to "
            "is the rows of an array"
        ],
    )


def short(study):
    """Sentences of SST-2's test set."""
    study.splits[f"short: every {SHORT_STEP}th sentence of SST-2 test"] = None
    texts = study.evaluator.texts
    _, lines = texts.lines("sst2/test.tsv", step=SHORT_STEP, header=True, quick=2)
    return texts.excerpt("sst2/test.tsv", [line.split("\t")[0].strip() for line in lines])


def long(study):
    """Paragraphs of WikiText-2, from its beginning to its end."""
    least, most = LONG_WORDS
    study.splits[f"long: {LONG_COUNT} paragraphs of {least} to {most} words of WikiText-2 valid, evenly spaced"] = None
    texts = study.evaluator.texts
    name = "wikitext2/valid.txt"
    lines = [line.strip() for line in texts.read(name)]
    lines = [line for line in lines if least <= len(line.split()) <= most]
    if len(lines) < LONG_COUNT:
        raise Failure(f"{texts.file(name)}: fewer than {LONG_COUNT} paragraphs of {least} to {most} words")
    taken = lines[:: len(lines) // LONG_COUNT][:LONG_COUNT]
    return texts.excerpt(name, taken[:1] if study.quick else taken)


def label(ratio):
    """A ratio, for people."""
    r8, r4, protected = ratio
    return f"{r8:g}, {r4:g}" + (", protected 8" if protected == 8 and r8 == 0 else "")


def plan(study, ratio, round_to):
    r8, r4, protected = ratio
    first = plans.shares(r8=1) if r8 == 1 else plans.shares(r4=1)
    layers = [first] + [plans.shares(r8=r8, r4=r4)] * (study.evaluator.models.depth(MODEL) - 1)
    return plans.Plan(plans.METHOD | {"protected_bits": protected, "round_to": round_to}, layers)


def of_point(simulation, study, texts, ratio, shape, machine, about):
    """The rows of one ratio on one shape: each order and scope."""
    answers, traces = {}, {}
    size = dict(zip(("array_rows", "array_columns", "array_arrays"), shape))
    for order in ORDERS:
        round_to = shape[0] if order == "promoted" else 1
        traces[order] = simulation.trace(MODEL, plan(study, ratio, round_to), texts)
        entered = "arrival" if order == "arrival" else "grouped"
        answers[order] = simulation.run(traces[order], machine, array_order=entered, **size)
    rows = []
    for order, answer in answers.items():
        inputs = tiers(traces[order])
        lengths = [len(layers[0]) for layers in inputs]
        behind = [layer for layers in inputs for layer in layers[1:]]
        for scope in SCOPES:
            found, plain = answer[scope], answers["grouped"][scope]
            spent = found["element_cycles"]
            # What the plan asks for is active in any order.
            ideal_cycles = plain["element_cycles"]["active"] / plain["elements"]
            total = sum(spent.values())
            rows.append(
                about
                | {f"{cause}_percent": round(100 * spent[cause] / total, 2) for cause in CAUSES}
                | {key: found[key] for key in ("cycles", "dram_row_hits", "dram_row_misses", "dram_row_conflicts")}
                | {
                    "tokens": round(sum(lengths) / len(lengths), 1),
                    "order": order,
                    "scope": scope,
                    "effective_gops": round(found["effective_gops"], 1),
                    "ideal_gops": round(2 * plain["macs_dense"] * plain["clock_ghz"] / ideal_cycles, 1),
                    "reached": round(100 * ideal_cycles / found["cycles"], 2),
                    "element_cycles": total,
                    "tokens_8": round(sum(layer.count("8") for layer in behind) / len(behind), 2),
                    "tokens_4": round(sum(layer.count("4") for layer in behind) / len(behind), 2),
                    "dram_bytes": found["dram_read_bytes"] + found["dram_write_bytes"],
                    "position_table_bytes": 0 if order == "arrival" else POSITION_BYTES * max(lengths),
                    "energy_on_chip_uj": round(found["energy_on_chip_pj"] / 1e6, 2),
                    "energy_uj": round(found["energy_total_pj"] / 1e6, 2),
                }
            )
    return rows


def document(rows):
    """What the rows say: the share of the ideal that each shape reaches, and on the
    machine's own shape what each step from one order to the next changes."""
    by_point = {}
    for row in rows:
        if row["shape"] != OWN:
            continue
        point = tuple(row[key] for key in ("texts", "r8", "r4", "protected_bits", "shape", "memory", "scope"))
        by_point.setdefault(point, {})[row["order"]] = row
    steps = {"grouping": ("arrival", "grouped"), "promotion": ("grouped", "promoted")}
    return {"by_shape": by_shape(rows)} | {
        step: [changes(orders[before], orders[after]) for orders in by_point.values()]
        for step, (before, after) in steps.items()
    }


def by_shape(rows):
    """Means over the ratios whose tokens have two widths, of a shape and an order."""
    groups = {}
    for row in rows:
        if mixed(row) and row["memory"] != MEMORY:
            groups.setdefault(tuple(row[key] for key in ("texts", "scope", "shape", "order")), []).append(row)
    means = ("reached", "speed_mismatch_percent", "tail_percent", "effective_gops")
    return [
        dict(zip(("texts", "scope", "shape", "order"), group))
        | {key: round(sum(row[key] for row in those) / len(those), 1) for key in means}
        for group, those in groups.items()
    ]


def mixed(row):
    """Whether tokens of 8 and of 4 bits meet."""
    return 0 < row["r8"] < 1 or (row["r8"] == 0 and row["protected_bits"] == 8)


def has_tiers(row):
    """Whether not all tokens are the same."""
    return mixed(row) or row["r8"] + row["r4"] < 1


def changes(before, after):
    """From one row to another, per cent; tokens of a text at a layer."""
    about = {key: after[key] for key in ("texts", "r8", "r4", "protected_bits", "shape", "memory", "scope")}
    for key in ("cycles", "dram_bytes", "energy_on_chip_uj", "energy_uj"):
        about[f"{key.removesuffix('_uj')}_percent"] = round(100 * (after[key] / before[key] - 1), 2)
    active = [row["active_percent"] * row["element_cycles"] for row in (before, after)]
    about["active_percent"] = round(100 * (active[1] / active[0] - 1), 2)
    for key in ("tokens_8", "tokens_4"):
        about[f"more_{key}"] = round(after[key] - before[key], 2)
    if after["memory"] == MEMORY:
        for key in ("dram_row_hits", "dram_row_misses", "dram_row_conflicts"):
            about[f"{key}_before"], about[f"{key}_after"] = before[key], after[key]
        about["position_table_bytes"] = after["position_table_bytes"]
    return about


def behind_hbm2(study):
    """The machine's file with a device in the place of an ideal memory."""
    source = MACHINES / f"{MACHINE}.toml"
    lines = source.read_text().splitlines()
    changed = ['device = "hbm2"\nchannels = 2' if line.startswith("bandwidth_gbps") else line for line in lines]
    if changed == lines:
        raise Failure(f"{source}: has no bandwidth_gbps")
    path = study.evaluator.cache / "machines" / f"{MACHINE}-hbm2.toml"
    files.write(path, "\n".join(changed) + "\n")
    return path


# What the chart shows by shape, and the shapes that it shows by ratio; all others are
# in the table.
SHOWN = (0.25, 0.4, 4)
COMPARED = ["4x4x32", OWN, "16x16x2"]


def panels(rows):
    """By shape what is reached and what is lost, by ratio how fast it is and what
    promotion changes; short and long texts side by side."""
    rows = [row for row in rows if row["memory"] != MEMORY]
    made = []
    for scope in SCOPES:
        for texts in ("short", "long"):
            own = [row for row in rows if row["texts"] == texts and row["scope"] == scope]
            made.append(by(f"{texts} texts, {scope}: reached at {label(SHOWN)}", "% of the ideal", at(own), "reached"))
    for key, title in (("speed_mismatch_percent", "speed mismatch"), ("tail_percent", "partial tiles")):
        for texts in ("short", "long"):
            own = [row for row in rows if row["texts"] == texts and row["scope"] == "attention"]
            made.append(by(f"{texts} texts, attention: {title}", "% of element-cycles", at(own), key))
    for texts in ("short", "long"):
        own = [row for row in rows if row["texts"] == texts and row["scope"] == "attention"]
        own = [named(row) for row in own if row["shape"] == OWN and has_tiers(row)]
        panel = by(f"{texts} texts, attention: {OWN} by ratio", "effective GOP/s", own, "effective_gops", "ratio")
        ideal = [row for row in own if row["order"] == "grouped"]
        panel.series.append(charts.series("ideal", ideal, "ratio", "ideal_gops", line=False))
        made.append(panel)
    for texts in ("short", "long"):
        made.append(promotion(texts, rows))
    return made


def at(rows):
    """Those of the ratio that is shown by shape."""
    r8, r4, protected = SHOWN
    return [row for row in rows if (row["r8"], row["r4"], row["protected_bits"]) == (r8, r4, protected)]


def named(row):
    return row | {"ratio": label((row["r8"], row["r4"], row["protected_bits"]))}


def by(title, label, rows, y, x="shape"):
    marks = [
        charts.series(order, [row for row in rows if row["order"] == order], x, y, line=x == "shape")
        for order in ORDERS
    ]
    names = {"shape": "rows x columns x arrays", "ratio": "shares at 8, 4 bits"}
    return charts.Panel(title, names[x], label, marks, categories=list(dict.fromkeys(row[x] for row in rows)))


def promotion(texts, rows):
    """What promotion changes, by ratio and shape."""
    cycles = {}
    own = [row for row in rows if row["texts"] == texts and row["scope"] == "attention" and has_tiers(row)]
    own = [named(row) for row in own if row["shape"] in COMPARED]
    for row in own:
        cycles[row["ratio"], row["shape"], row["order"]] = row["cycles"]
    ratios = list(dict.fromkeys(row["ratio"] for row in own))
    marks = []
    for shape in dict.fromkeys(row["shape"] for row in own):
        change = [
            {"ratio": ratio, "change": 100 * (cycles[ratio, shape, "promoted"] / cycles[ratio, shape, "grouped"] - 1)}
            for ratio in ratios
        ]
        marks.append(charts.series(shape, change, "ratio", "change", line=False))
    title = f"{texts} texts, attention: what promotion changes"
    return charts.Panel(title, "shares at 8, 4 bits", "cycles, % of grouped", marks, categories=ratios)
