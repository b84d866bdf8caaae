"""What in a cache matters?

Around two caches of SmolLM2, all tokens at 4 bits and the chosen one at a quarter of
the bytes, one thing is changed at a time: the bits of keys and of values, centring,
rotation; which tokens are protected, how fast what they received is forgotten, and who
decides together."""

from harness import charts, plans
from harness.decoding import Decoding
from harness.results import Findings
from harness.tables import significant
from questions import gpt2

SUMMARY = "decoders: what in a cache matters, one thing changed at a time"

MODEL, CONTEXT, SCORE, WINDOWS = "smollm2", 992, 128, 16

# Changes of the table [cache], or of the plan.
UNIFORM = {
    "as it is": {},
    "keys at 8 bits": {"key_bits": [8, 8]},
    "values at 8 bits": {"value_bits": [8, 8]},
    "not centred": {"centred": False},
    "not rotated": {"rotation": False},
    "not rotated, not centred": {"rotation": False, "centred": False},
    "nothing protected": {"first": 0, "newest": 0, "r8": 0.0, "r4": 1.0},
}
CHOSEN = {
    "as it is": {},
    "no first token protected": {"first": 0},
    "newest 0": {"newest": 0},
    "newest 16": {"newest": 16},
    "newest 32": {"newest": 32},
    "newest 128": {"newest": 128},
    "grace 0.25": {"grace": 0.25},
    "half-life 16": {"half_life": 16},
    "half-life 32": {"half_life": 32},
    "half-life 512": {"half_life": 512},
    "never forgets": {"half_life": 0},
    "not centred": {"centred": False},
}

# One share for all heads, at the same bytes.
SHARES = {
    "one share, heads decide": {"policy": "attention", "scope": "head", "half_life": 128},
    "one share, layers decide": {"policy": "attention", "scope": "layer", "half_life": 128},
    "one share, heads decide, never forgets": {"policy": "attention", "scope": "head", "half_life": 0},
    "H2O, half of it the newest": gpt2.ALTERNATIVES["H2O"],
    "H2O without a newest half": gpt2.ALTERNATIVES["H2O"] | {"grace": 0.0},
}

COLUMNS = [
    "cache", "change", "cache_percent", "n", "perplexity_percent", "perplexity_low", "perplexity_high", "divergence",
]  # fmt: skip


def run(study):
    decoding = Decoding(study.evaluator)
    score = 8 if study.quick else SCORE
    arguments = ["--task", "lm", "--data", gpt2.text_of(study, MODEL), "--part", "choosing"]
    arguments += ["--context", str(CONTEXT), "--score", str(score), "--windows", str(2 if study.quick else WINDOWS)]
    study.splits["WikiText-2 valid, choosing: its first half"] = None
    compared = caches(gpt2.chosen_plans(study, MODEL).get("1/4"))
    if study.quick:
        compared = dict(list(compared.items())[:3])
    found = decoding.measure(MODEL, arguments, compared)
    study.machines |= {one["machine"] for one in found.values()}
    rows = []
    for (cache, change), one in found.items():
        against = one["against_f32"]
        interval = against["perplexity_percent"]
        rows.append(
            {
                "cache": cache, "change": change, "cache_percent": round(100 * one["cache_share"], 1), "n": one["n"],
                "perplexity_percent": round(interval["difference"], 2), "perplexity_low": round(interval["low"], 2),
                "perplexity_high": round(interval["high"], 2), "divergence": significant(against["divergence"]),
            }  # fmt: skip
        )
    return Findings(
        title="What in a cache matters",
        rows=rows,
        columns=COLUMNS,
        shared=[],
        panels=panels(rows),
        notes=[
            "perplexity_percent: what it rises by over f32, with a 95 % interval over windows; divergence: "
            "Kullback-Leibler of the next token from f32, nats, which tells caches apart that perplexity does not; "
            "cache_percent: bytes as allocated, of all tokens at 8 bits."
        ],
    )


def caches(chosen):
    """The plans by cache and change."""
    tokens = CONTEXT + SCORE - 1
    whole = gpt2.plan(MODEL, None)
    uniform = gpt2.plan(MODEL, gpt2.uniform(tokens))
    found = {("all tokens at 8 bits", "as it is"): whole}
    for name, change in UNIFORM.items():
        found[("all tokens at 4 bits", name)] = changed(uniform, change)
    if chosen:
        for name, change in CHOSEN.items():
            found[("a quarter, by head", name)] = changed(chosen, change)
    for name, keys in SHARES.items():
        cache = gpt2.evicting(keys, 4, 0.25, gpt2.MODELS[MODEL], tokens)
        found[("a quarter, one share", name)] = gpt2.plan(MODEL, cache)
    return found


def changed(plan, change):
    keys = plan.keys | {key: value for key, value in change.items() if key in plan.keys}
    cache = plan.cache | {key: value for key, value in change.items() if key not in plan.keys}
    return plans.Plan(keys, plan.layers, cache=cache)


def panels(rows):
    series = []
    for cache in dict.fromkeys(row["cache"] for row in rows):
        own = [row for row in rows if row["cache"] == cache]
        series.append(charts.series(cache, own, "cache_percent", "divergence", line=False))
    title = "one thing changed at a time"
    return [charts.Panel(title, "bytes, % of all tokens at 8 bits", "divergence from f32, nats", series, scale_y="log")]
