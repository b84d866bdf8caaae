"""What may leave a decoder's cache?

Generation under plans whose caches shrink, beside what users could pick for the same
purpose: uniform 4 bits, a sliding window with the first tokens kept (StreamingLLM),
heavy hitters (H2O) and cascade pruning (SpAtten), all with the same rotation, the same
quantizer and the same protected tokens, at the same bytes."""

import math

from harness import charts, plans
from harness.decoding import Decoding, paired
from harness.results import Findings
from harness.tables import significant

SUMMARY = "decoders: perplexity, retrieval and bytes of caches that shrink, by policy"

# Tokens that are always at the upper tier: the first of a text, and the newest.
FIRST, NEWEST = 4, 64

# Bytes as shares of a cache of all tokens at 8 bits; `half` is what uniform 4 bits
# take.
BUDGETS = {"half": None, "3/8": 0.375, "1/4": 0.25}

# Sizes of a model's cache: layers, key-value heads, their width; and its contexts:
# tokens read at once, tokens scored behind them, and the most windows.
MODELS = {
    "smollm2": {"layers": 30, "heads": 3, "dim": 64, "contexts": [(992, 256, 64), (496, 256, 32), (1984, 256, 32)]},
    "gpt2-small-en": {"layers": 6, "heads": 4, "dim": 64, "contexts": [(992, 32, 512), (496, 32, 512)]},
}

# Prompts of the retrieval check: so many draws of so many each, which are kept apart
# so that a study that is stopped goes on.
DRAWS, PROMPTS = 4, 100

# Texts of each model, below the data folder or the model's own, and which half.
TEXTS = {"smollm2": "wikitext2/valid.txt", "gpt2-small-en": "heldout.txt"}

# H2O keeps as many recent tokens as heavy hitters (Zhang et al., 2023, section 5).
ALTERNATIVES = {
    "StreamingLLM": {"policy": "recent", "scope": "layer"},
    "H2O": {"policy": "heavy-hitters", "scope": "head", "grace": 0.5},
    "SpAtten": {"policy": "cascade", "scope": "layer"},
}

# Bytes of a slot beside codes and scales: its position, and what it received.
POSITION, RECEIVED = 4, 4

COLUMNS = [
    "model", "context", "scored", "budget", "policy", "bits", "cache_percent", "measure", "n", "f32", "value",
    "change", "change_low", "change_high", "divergence", "against_tiers", "against_low", "against_high",
]  # fmt: skip


def run(study):
    decoding = Decoding(study.evaluator)
    rows = []
    for model in study.few(MODELS, "smollm2"):
        if model != "smollm2" and not study.has_model(model):
            study.warn(f"{model}: no folder of that name among the models: left out")
            continue
        for context, score, windows in study.few(MODELS[model]["contexts"], MODELS[model]["contexts"][0]):
            rows += perplexity(study, decoding, model, context, score, windows)
    rows += retrieval(study, decoding, "smollm2")
    return Findings(
        title="Caches that shrink",
        rows=rows,
        columns=COLUMNS,
        shared=[],
        panels=panels(rows),
        notes=[
            "change: of perplexity, per cent of f32's, or of answers, points, with a 95 % interval of a paired "
            "bootstrap over windows or prompts; divergence: Kullback-Leibler of the next token from f32, nats; "
            "against_tiers: what a policy has more of perplexity, in per cent, or of answers, in points, than tiers "
            "at the same budget, with its interval; cache_percent: bytes as allocated, of all tokens at 8 bits."
        ],
    )


def policies(model, tokens, chosen):
    """The plans to compare at a number of tokens, by budget, policy and bits. The
    chosen ones are those of our own."""
    sizes = MODELS[model]
    found = {("all", "8 bits", 8): plan(model, None), ("half", "uniform 4 bits", 4): plan(model, uniform(tokens))}
    half = share_of(uniform(tokens), sizes, tokens)
    for budget, share in BUDGETS.items():
        share = share or half
        for name, keys in ALTERNATIVES.items():
            for bits in (8, 4):
                found[(budget, name, bits)] = plan(model, evicting(keys, bits, share, sizes, tokens))
        if budget in chosen:
            found[(budget, "tiers", None)] = chosen[budget]
    return found


def plan(model, cache):
    """All tokens computed at 8 bits, cached so."""
    method = plans.METHOD_AT_EIGHT
    return plans.Plan(method, [plans.shares(r8=1)] * MODELS[model]["layers"], cache=cache)


def cache(keys, r8, r4):
    ratios = plans.shares(r8=r8, r4=r4)
    return {"policy": "recent", "scope": "layer"} | keys | ratios | {"first": FIRST, "newest": NEWEST}


def uniform(tokens):
    """All tokens at 4 bits but the protected ones."""
    r8 = protected(tokens)
    return cache({}, r8, 1 - r8)


def evicting(keys, bits, share, sizes, tokens):
    """As many tokens at 8 bits, or at 4 bits but the protected ones, as fit."""
    upper, lower = slot_bytes(keys, sizes, 8), slot_bytes(keys, sizes, 4)
    room = share * full_bytes(sizes)
    if bits == 8:
        return cache(keys, floor(room / upper), 0)
    r8 = protected(tokens)
    return cache(keys, r8, min(floor((room - r8 * upper) / lower), 1 - r8))


def share_of(keys, sizes, tokens):
    upper, lower = slot_bytes(keys, sizes, 8), slot_bytes(keys, sizes, 4)
    return (keys["r8"] * upper + keys["r4"] * lower) / full_bytes(sizes)


def protected(tokens):
    """The share of protected tokens, in whole thousandths and no fewer."""
    return math.ceil(1000 * (FIRST + NEWEST) / tokens) / 1000


def floor(share):
    return math.floor(1000 * min(share, 1)) / 1000


def slot_bytes(keys, sizes, bits):
    """Bytes of a token at all heads of a layer: keys and values with their scales,
    and what each set of heads that decides together notes of it."""
    sets = sizes["heads"] if keys["scope"] == "head" else 1
    noted = POSITION + (RECEIVED if keys["policy"] != "recent" else 0)
    return 2 * sizes["heads"] * (sizes["dim"] * bits // 8 + 2) + sets * noted


def full_bytes(sizes):
    return 2 * sizes["heads"] * (sizes["dim"] + 2)


def chosen_plans(study, model):
    """Our own plans, by budget, from the files that they were written to."""
    names = {"half": "half", "3/8": "three-eighths", "1/4": "quarter"}
    found = plans.folder(study.plans_folder, model)
    chosen = {budget: plans.Plan.read(found[name]) for budget, name in names.items() if name in found}
    for budget in BUDGETS:
        if budget not in chosen:
            study.warn(f"{study.plans_folder / model}: no plan for {budget} there: left out")
    return chosen


def text_of(study, model):
    path = study.evaluator.models.path(model)
    if model != "smollm2":
        return path / TEXTS[model]
    return study.evaluator.texts.file(TEXTS[model])


def perplexity(study, decoding, model, context, score, windows):
    compared = policies(model, context + score - 1, chosen_plans(study, model))
    arguments = ["--task", "lm", "--data", text_of(study, model), "--part", "reporting"]
    arguments += ["--context", str(context), "--score", str(8 if study.quick else score)]
    arguments += ["--windows", str(2 if study.quick else windows)]
    study.splits[f"{model}, reporting: second half of {TEXTS[model]}"] = None
    found = decoding.measure(model, arguments, compared)
    study.machines |= {one["machine"] for one in found.values()}

    def relative(pairs):
        """Per cent of perplexity that the first has more, of mean losses."""
        return 100 * (math.exp(sum(own - other for own, other in pairs) / len(pairs)) - 1)

    rows = []
    for (budget, policy, bits), one in found.items():
        against = one["against_f32"]
        interval = against["perplexity_percent"]
        row = {
            "model": model, "context": context, "scored": score, "budget": budget, "policy": policy, "bits": bits,
            "cache_percent": round(100 * one["cache_share"], 1), "measure": "perplexity", "n": one["n"],
            "f32": round(against["f32"], 3), "value": round(one["value"], 3),
            "change": round(interval["difference"], 3), "change_low": round(interval["low"], 3),
            "change_high": round(interval["high"], 3), "divergence": significant(against["divergence"]),
        }  # fmt: skip
        ours = found.get((budget, "tiers", None))
        if ours and policy != "tiers":
            each = one["n"] / one["windows"]
            means = [[loss / each for loss in result["window_losses"]] for result in (one, ours)]
            row |= compared_with(means, relative, study.evaluator.seed)
        rows.append(row)
    return rows


def retrieval(study, decoding, model):
    arguments = ["--task", "needle", "--data", text_of(study, model), "--part", "reporting"]
    arguments += ["--prompts", "2", "--most-tokens", "1200"] if study.quick else ["--prompts", str(PROMPTS)]
    compared = policies(model, 1000, chosen_plans(study, model))
    draws = range(1 if study.quick else DRAWS)
    parts = [decoding.measure(model, arguments, compared, study.evaluator.seed + draw) for draw in draws]
    found = {name: [part[name] for part in parts] for name in compared}

    def points(pairs):
        return 100 * sum(own - other for own, other in pairs) / len(pairs)

    def answered(parts):
        return [right for part in parts for right in part["answered"]]

    rows = []
    for (budget, policy, bits), own in found.items():
        exact = [right for part in own for right in part["answered_at_f32"]]
        difference, low, high = paired(answered(own), exact, points, study.evaluator.seed)
        row = {
            "model": model, "context": round(sum(part["tokens_mean"] for part in own) / len(own)),
            "budget": budget, "policy": policy, "bits": bits, "measure": "answered", "n": len(exact),
            "f32": round(100 * sum(exact) / len(exact), 2),
            "value": round(100 * sum(answered(own)) / len(exact), 2), "change": round(difference, 2),
            "change_low": round(low, 2), "change_high": round(high, 2),
        }  # fmt: skip
        ours = found.get((budget, "tiers", None))
        if ours and policy != "tiers":
            row |= compared_with([answered(own), answered(ours)], points, study.evaluator.seed)
        rows.append(row)
    return rows


def compared_with(results, statistic, seed):
    names = ("against_tiers", "against_low", "against_high")
    return {name: round(value, 3) for name, value in zip(names, paired(*results, statistic, seed))}


def panels(rows):
    """By model and context: the divergence against bytes; and the answers."""
    made = []
    for model, context in dict.fromkeys((row["model"], row["context"]) for row in rows):
        own = [row for row in rows if (row["model"], row["context"]) == (model, context)]
        answers = own[0]["measure"] == "answered"
        y, label = ("value", "% answered") if answers else ("divergence", "divergence from f32, nats")
        # Answers have the bytes of the model's longest context.
        known = [row for row in rows if row["model"] == model and "cache_percent" in row]
        known = own if not answers else sorted(known, key=lambda row: row["context"])
        shares = {(row["budget"], row["policy"], row["bits"]): row["cache_percent"] for row in known}
        series = []
        for name, bits in dict.fromkeys((row["policy"], row["bits"]) for row in own):
            marked = [
                row | {"bytes": shares.get((row["budget"], name, bits))}
                for row in own
                if (row["policy"], row["bits"]) == (name, bits)
            ]
            marked = sorted((row for row in marked if row["bytes"]), key=lambda row: row["bytes"])
            title = f"{name}, {bits} bits" if bits and name in ALTERNATIVES else name
            series.append(charts.series(title, marked, "bytes", y, line=len(marked) > 1))
        title = f"{model}, {context} tokens"
        made.append(charts.Panel(title, "bytes, % of all tokens at 8 bits", label, series, scale_y="linear" if answers else "log"))
    return made
