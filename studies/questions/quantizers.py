"""What keeps 4 bits faithful?

All tokens are at 4 bits, without tiers, and the texts grow from 16 to 480 tokens:
scales per token or per group of channels, with and without rotation, clipping and
balance; then weights and attention probabilities of other widths. Scales per group
cost drains of the array, which are counted."""

from harness import charts, plans
from harness.evaluation import Request
from harness.results import Findings
from harness.setups import Split, long_text

SUMMARY = "what keeps 4 bits faithful: scales, rotation, clipping, balance, by length of the text"

TASK = "long-text"
LENGTHS = [16, 64, 192, 480]

# The deviation is what is compared, and needs no more articles.
FEW = Split("WikiText-2 valid, the even ones of the first 24 articles", long_text("choosing", first=24))


def scheme(rotation=False, clipping=False, balance=False, group=0, **more):
    return {"rotation": rotation, "clipping": clipping, "balance": balance, "group": group} | more


ALL = scheme(rotation=True, clipping=True, balance=True)

# By panel; what panels share is measured once. All tokens are at 4 bits, so
# probabilities by tier are at 4 bits.
SCHEMES = {
    "one scale a token": {
        "per token": scheme(),
        "clipping": scheme(clipping=True),
        "rotation": scheme(rotation=True),
        "rotation, clipping": scheme(rotation=True, clipping=True),
        "rotation, clipping, balance": ALL,
    },
    "a scale per group of channels": {
        "group 128": scheme(group=128),
        "group 64": scheme(group=64),
        "group 32": scheme(group=32),
        "rotation, group 128": scheme(rotation=True, group=128),
        "rotation, group 64": scheme(rotation=True, group=64),
        "rotation, group 32": scheme(rotation=True, group=32),
        "rotation, clipping, group 32": scheme(rotation=True, clipping=True, group=32),
        "rotation, clipping, balance": ALL,
    },
    "weights and probabilities": {
        "rotation, clipping, balance": ALL,
        "weights at 4 bits": ALL | {"weight_bits": 4},
        "probabilities at 8 bits": ALL | {"probability_bits": 8},
        "probabilities at 4 bits": ALL | {"probability_bits": 4},
    },
}


def run(study):
    schemes = {name: keys for group in SCHEMES.values() for name, keys in group.items()}
    depth = study.depth(TASK)
    entries = []
    for length in study.few(LENGTHS, 16, 384):
        for name, keys in schemes.items():
            plan = plans.all_four(depth, **keys)
            request = Request(TASK, "choosing", plan, name, windows(length), instead=FEW)
            entries.append(({"scheme": name, "window_tokens": length}, request))
    rows = study.rows(entries)
    return Findings(
        title="What keeps 4 bits faithful",
        rows=rows,
        columns=["task", "split", "scheme", "window_tokens"],
        panels=panels(rows),
        across=3,
        own_legends=True,
        notes=[
            "All tokens at 4 bits, no tiers; weights at 8 bits, probabilities by tier (so at 4 bits) where nothing "
            'else is said. "rotation, clipping, balance" is what the other studies call all tokens at 4 bits. '
            f"{FEW.about}; bars are 95 % intervals."
        ],
    )


def windows(length):
    """Arguments for texts of so many tokens, special ones included."""
    return ("--window-tokens", str(length))


def panels(rows):
    made = []
    lengths = sorted({row["window_tokens"] for row in rows})
    for y, label, scale in [
        ("mean_cosine_distance", "mean of 1 - cosine to f32", "log"),
        ("difference", "MRR - f32, points", "linear"),
    ]:
        for title, schemes in SCHEMES.items():
            lines = [
                charts.series(
                    name,
                    [row for row in rows if row["scheme"] == name],
                    x="window_tokens",
                    y=y,
                    ends=y == "difference",
                )
                for name in schemes
            ]
            panel = charts.Panel(title, "tokens of a text", label, lines, "log", scale, ticks_x=lengths, apart=3)
            made.append(panel)
    return made
