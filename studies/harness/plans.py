"""Plans: from Python, or from files. docs/plan.md describes the keys."""

import json
import tomllib
from pathlib import Path

from harness import files
from harness.failure import Failure

# What the method does besides giving tokens their bits; all of it costs no
# products.
METHOD = {
    "compensation": "keys-values",
    "rotation": True,
    "balance": True,
    "clipping": True,
    "weight_bits": 8,
    "probability_bits": "tier",
    "protected_bits": 4,
}

# Groups of channels with a scale each, as the chosen plans have them: what those are
# compared with gets them too. They cost no products, but drains of the array.
GROUPS = {"group": 32}

# The same where all that matters is at 8 bits.
METHOD_AT_EIGHT = METHOD | {"probability_bits": 8, "protected_bits": 8}

# Share of the layers, from the first, in which SpAtten prunes no token (Wang et
# al., HPCA 2021, section V).
SPATTEN_START = 0.15


class Plan:
    """Keys and layers, a decoder's cache, and where a calibration lies that came with
    them."""

    def __init__(self, keys, layers, calibration=None, cache=None):
        self.keys = {"format": 1} | keys
        self.layers = layers
        self.calibration = calibration
        self.cache = cache

    @classmethod
    def read(cls, path):
        """The plan of a file, with the calibration beside it if there is one."""
        path = Path(path)
        try:
            found = tomllib.loads(path.read_text())
        except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise Failure(f"{path}: {error}") from None
        layers = found.pop("layer", [])
        cache = found.pop("cache", None)
        name = found.pop("calibration", None)
        beside = path.with_name(str(name)) if name else None
        found.pop("name", None)
        return cls(found, layers, beside if beside and beside.is_file() else None, cache)

    def text(self, calibration=None):
        """The file's text, naming that calibration. It says nothing that does
        not matter, so that equal plans are equal bytes."""
        keys = self.keys | ({"calibration": calibration} if calibration else {})
        tables = "".join("\n[[layer]]\n" + lines(layer) for layer in self.layers)
        return lines(keys) + tables + ("\n[cache]\n" + lines(self.cache) if self.cache else "")

    @property
    def needs_calibration(self):
        return bool(self.keys.get("prior")) or self.predicts

    @property
    def predicts(self):
        """Whether a calibrated map stands in for a change somewhere."""
        return any(map(self.predicted, self.layers))

    def predicted(self, layer):
        return layer["r0"] > 0 and "predict" in layer.get("compensation", self.keys["compensation"])

    def calibrated_as(self):
        """The plan to calibrate under. A prior alone is the same for all plans."""
        if self.predicts:
            return self
        return Plan(METHOD_AT_EIGHT | {"prior": True}, [shares(r8=1)] * len(self.layers))

    def widened(self):
        """The same with at least half of the tokens at 0 bits where a change is
        predicted, as `dtatrans search` calibrates where texts are too few."""

        def wide(layer):
            if not self.predicted(layer) or layer["r0"] >= 0.5:
                return layer
            r8 = min(layer["r8"], 0.5)
            return layer | shares(r8=r8, r4=0.5 - r8)

        return Plan(self.keys, [wide(layer) for layer in self.layers])

    def but(self, **keys):
        """The same plan with other keys, and a calibration of its own."""
        return Plan(self.keys | keys, self.layers)

    def __repr__(self):
        return f"Plan({files.digest_of(self.text())[:12]})"


def lines(table):
    """Keys and values in TOML, one a line."""
    return "".join(f"{key} = {toml(value)}\n" for key, value in table.items())


def toml(value):
    """A value in TOML, which writes plain ones as JSON does."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {toml(inner)}" for key, inner in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value)


def shares(r8=0.0, r4=0.0, compensation=None):
    """A layer; what is at neither 8 nor 4 bits is at 0."""
    thousandths = [round(1000 * share) for share in (r8, r4)]
    r8, r4, r0 = (part / 1000 for part in (*thousandths, 1000 - sum(thousandths)))
    layer = {"r8": r8, "r4": r4, "r0": r0}
    return layer | ({"compensation": compensation} if compensation else {})


def all_eight(depth):
    """All tokens at 8 bits: plain int8."""
    return Plan(METHOD_AT_EIGHT, [shares(r8=1)] * depth)


def all_four(depth, **keys):
    """All tokens at 4 bits: what needs no tiers."""
    return Plan(METHOD | keys, [shares(r4=1)] * depth)


def uniform(depth, r0, first, **keys):
    """A share at 0 bits, the same at each layer from `first` on; the rest at 4."""
    ratios = [shares(r4=1 - r0 if layer >= first else 1) for layer in range(depth)]
    return Plan(METHOD | keys, ratios)


def spatten(depth, end, bits, **keys):
    """SpAtten's pruning: tokens leave for good, and the share that is kept falls
    linearly from 1, at the layer after the first 15 %, to `end` at the last. The
    kept ones have these bits. Its shares were tuned by task and are not public."""
    start = min(round(SPATTEN_START * depth), depth - 1)
    steps = max(depth - 1 - start, 1)
    kept = [1 - (1 - end) * max(layer - start, 0) / steps for layer in range(depth)]
    method = METHOD_AT_EIGHT if bits == 8 else METHOD
    return Plan(method | {"compensation": "drop"} | keys, [shares(**{f"r{bits}": share}) for share in kept])


def folder(root, task):
    """The plans of a task, by the names of their files."""
    return {path.stem: path for path in sorted((root / task).glob("*.toml"))}
