"""Plans, and how they give tokens their tiers: what crates/precision does, in
Python. docs/plan.md describes the file."""

import tomllib
from collections import namedtuple
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from failure import Failure

# What a 0-bit token still does: whether it can be computed again later, the bits
# of the key and value that it offers (0 for none), whether it attends, and what
# stands in for its change.
Compensation = namedtuple("Compensation", "may_return key_bits attends change")
COMPENSATIONS = {
    "drop": Compensation(False, 0, False, None),
    "carry": Compensation(True, 0, False, None),
    "keys-values": Compensation(True, 4, False, None),
    "fused": Compensation(True, 0, False, "fused"),
    "keys-values+fused": Compensation(True, 4, False, "fused"),
    "predict-diagonal": Compensation(True, 0, False, "diagonal"),
    "predict-low-rank": Compensation(True, 0, False, "low-rank"),
    "keys-values+predict": Compensation(True, 4, False, "low-rank"),
    "attention+predict": Compensation(True, 4, True, "low-rank"),
}

# What a layer gave the tokens of one text: the keys' tokens, the mean attention
# that each received, and the tiers of all tokens.
Gain = namedtuple("Gain", "keys means tiers")

# More than any sum of gains: `waiting` puts tokens first by it.
WAITED = 1024.0


def add(scores, gain):
    for key, mean in zip(gain.keys, gain.means):
        scores[key] += mean


def last_layer(scores, gain):
    scores[:] = [0.0] * len(scores)
    add(scores, gain)


def decayed(scores, gain):
    scores[:] = [0.5 * score for score in scores]
    add(scores, gain)


def returning(scores, gain):
    mean = sum(gain.means) / max(len(gain.means), 1)
    for token in set(range(len(scores))) - set(gain.keys):
        scores[token] += mean
    add(scores, gain)


def waiting(scores, gain):
    scores[:] = [score % WAITED for score in scores]
    add(scores, gain)
    for token, tier in enumerate(gain.tiers):
        scores[token] += WAITED * (tier == 0)


def static(scores, gain):
    pass


def reversed_(scores, gain):
    for key, mean in zip(gain.keys, gain.means):
        scores[key] -= mean


# `value-weighted` differs in the gains alone. `random`, a control that hashes the
# engine's very bits, is left out.
IMPORTANCES = {
    "cumulative": add,
    "last-layer": last_layer,
    "decayed": decayed,
    "value-weighted": add,
    "returning": returning,
    "waiting": waiting,
    "static": static,
    "reversed": reversed_,
}


class LayerPlan(namedtuple("LayerPlan", "eight four compensation")):
    """Thousandths of the tokens at 8 and at 4 bits, and the compensation of the
    others."""

    @property
    def predicts(self):
        """Whether it needs a calibrated map."""
        leaves_out = self.eight + self.four < 1000
        return leaves_out and self.compensation.change in ("diagonal", "low-rank")

    def counts(self, n):
        """How many of n tokens get 8 and 4 bits."""
        eight = -(-n * self.eight // 1000)
        return eight, min(-(-n * self.four // 1000), n - eight)


class Plan:
    """A plan's file."""

    def __init__(self, file):
        self.file = Path(file)
        try:
            fields = tomllib.loads(self.file.read_text(encoding="utf-8"))
        except ValueError as error:
            raise Failure(f"{file}: {error}") from None
        try:
            self._take(fields)
        except KeyError as key:
            raise Failure(f"{file}: lacks {key}, or does not know it") from None

    def _take(self, fields):
        if fields["format"] != 1:
            raise Failure(f"{self.file}: format {fields['format']}: must be 1")
        self.name = fields.get("name", "")
        self.rank = fields.get("rank", 64)
        self.calibration = fields.get("calibration")
        self.prior = fields.get("prior", False)
        self.rotation = fields["rotation"]
        self.balance = fields.get("balance", False)
        self.group = fields.get("group", 0)
        self.clipping = fields["clipping"]
        self.weight_bits = fields["weight_bits"]
        self.probability_bits = fields["probability_bits"]
        self.protected_bits = fields["protected_bits"]
        self.round_to = fields.get("round_to", 1)
        importance = fields.get("importance", "cumulative")
        self.weighs_values = importance == "value-weighted"
        self.add_gain = IMPORTANCES[importance]
        usual = fields["compensation"]
        self.layers = [
            LayerPlan(
                round(1000 * layer["r8"]),
                round(1000 * layer["r4"]),
                COMPENSATIONS[layer.get("compensation", usual)],
            )
            for layer in fields["layer"]
        ]

    @property
    def needs_calibration(self):
        return self.prior or any(layer.predicts for layer in self.layers)

    def check_depth(self, layers):
        if len(self.layers) != layers:
            raise Failure(f"{self.file}: has {len(self.layers)} layers, the model {layers}")

    def read_calibration(self):
        """The calibration's tensors by name, all f32; none if the plan needs none."""
        if not self.needs_calibration:
            return {}
        if not self.calibration:
            raise Failure(f"{self.file}: needs a calibration and names none")
        file = self.file.with_name(self.calibration)
        try:
            with safe_open(file, "pt") as stored:
                tensors = {name: stored.get_tensor(name).float() for name in stored.keys()}
        except (OSError, SafetensorError) as error:
            raise Failure(
                f"{file}: {error}; `dtatrans calibrate --plan {self.file}` makes it"
            ) from None
        for index, layer in enumerate(self.layers):
            if layer.predicts and f"{map_name(index, layer.compensation)}.offset" not in tensors:
                raise Failure(f"{file}: lacks the map of layer {index}")
        return tensors

    def assign(self, index, scores, protected, gone):
        """The tier of each token of a text at a layer: 8, 4 or 0."""
        n = len(scores)
        # Best first; ties stay in order of place.
        ranked = sorted((t for t in range(n) if not gone[t]), key=lambda t: -scores[t])
        kept = sum(protected)
        eight, four = self.layers[index].counts(n)
        if self.protected_bits == 8:
            ranked.sort(key=lambda t: not protected[t])
            eight = max(eight, kept)
        computed = eight + four
        round_up = lambda count: -(-count // self.round_to) * self.round_to
        eight = min(round_up(eight), len(ranked))
        # Protected tokens without a place come first.
        others = sorted(ranked[eight:], key=lambda t: not protected[t])
        four = max(computed - eight, 0, sum(protected[t] for t in others))
        four = min(round_up(eight + four) - eight, len(others))
        tiers = [0] * n
        for token in ranked[:eight]:
            tiers[token] = 8
        for token in others[:four]:
            tiers[token] = 4
        return tiers


def map_name(index, compensation):
    """The name of a layer's map in a calibration."""
    return f"layers.{index}.{'feed_forward' if compensation.attends else 'layer'}"
