"""How keys and values of a cache could be coded at 4 bits, in floats.

    python3 -m venv venv && venv/bin/pip install torch==2.15.0 transformers==5.24.0 \
        accelerate==1.15.0 gguf==0.19.0
    venv/bin/python studies/peers/cache_codes.py MODEL.gguf DATA

MODEL.gguf is the file that `dtatrans models` names for smollm2, DATA the folder of
studies/README.md. The model runs at f32; of the tokens that were read at once and of those
scored since, all but the first 4 and the newest 64 are seen in codes, as if the cache kept
them so. Prints one JSON object a line: the code, bytes of a token's key at a head, and the
mean Kullback-Leibler divergence of the next token from f32, over windows of the choosing
half of WikiText-2, where keys are coded so and values as dtatrans does, and the other way
round. The program's own code stands first."""

import argparse
import json
import math
import sys
import time
from pathlib import Path

import torch
from transformers import AttentionInterface, AutoModelForCausalLM, AutoTokenizer

FIRST, NEWEST = 4, 64

# Windows behind the scored ones, from which static scales are taken.
CALIBRATING = 4

# The shares of the largest magnitude that clipping tries.
SHARES = (1.0, 0.88, 0.76, 0.64)


def half(scale):
    """Scales are kept in 16 bits."""
    return scale.half().float()


def symmetric(x, shares=(1.0,)):
    """Codes of -7 to 7 with the scale, of those tried, that leaves the least error."""
    largest = x.abs().amax(-1, keepdim=True)
    best = None
    for share in shares:
        scale = half(largest * share / 7).clamp(min=1e-7)
        value = (x / scale).round().clamp(-7, 7) * scale
        error = (value - x).square().sum(-1, keepdim=True)
        if best is not None:
            value, error = (torch.where(error < best[1], *pair) for pair in zip((value, error), best))
        best = value, error
    return best[0]


def clipped(x):
    return symmetric(x, SHARES)


def asymmetric(x):
    """Codes of 0 to 15 between the least and the largest value."""
    low, high = x.amin(-1, keepdim=True), x.amax(-1, keepdim=True)
    low, scale = half(low), half((high - low) / 15).clamp(min=1e-7)
    return ((x - low) / scale).round().clamp(0, 15) * scale + low


def grouped(code, size=32):
    return lambda x: code(x.unflatten(-1, (-1, size))).flatten(-2)


def hadamard(width):
    matrix = torch.ones(1, 1)
    while len(matrix) < width:
        matrix = torch.cat([torch.cat([matrix, matrix], 1), torch.cat([matrix, -matrix], 1)])
    return matrix / math.sqrt(width)


class Code:
    """What becomes of a row: less the mean, divided by static scales, rotated, coded;
    and back. `scale` names the statistic that the static scales are taken from."""

    def __init__(self, code, rotated=True, centred=False, scale=None, scales=1):
        self.code, self.rotated, self.centred, self.scale, self.scales = code, rotated, centred, scale, scales

    def bytes(self, width):
        return width // 2 + 2 * self.scales

    def __call__(self, x, statistics, context):
        mean = x[..., :context, :].mean(-2, keepdim=True) if self.centred else 0
        scale = statistics[self.scale] if self.scale else 1
        turn = hadamard(x.shape[-1]) if self.rotated else torch.eye(x.shape[-1])
        return self.code(((x - mean) / scale) @ turn) @ turn.T * scale + mean


KEYS = Code(clipped, centred=True)
VALUES = Code(clipped)

CODES = {
    "rotated, clipped, centred": KEYS,
    "rotated, clipped": VALUES,
    "rotated": Code(symmetric),
    "plain": Code(symmetric, rotated=False),
    "clipped": Code(clipped, rotated=False),
    "clipped, centred": Code(clipped, rotated=False, centred=True),
    "asymmetric": Code(asymmetric, rotated=False, scales=2),
    "asymmetric, rotated": Code(asymmetric, scales=2),
    "asymmetric, rotated, centred": Code(asymmetric, centred=True, scales=2),
    "groups of 32": Code(grouped(symmetric), rotated=False, scales=2),
    "groups of 32, clipped": Code(grouped(clipped), rotated=False, scales=2),
    "groups of 32, rotated, clipped": Code(grouped(clipped), scales=2),
    "groups of 32, rotated, clipped, centred": Code(grouped(clipped), centred=True, scales=2),
    "static scales, clipped": Code(clipped, rotated=False, scale="size"),
    "static scales, rotated, clipped": Code(clipped, scale="size"),
    "static scales, rotated, clipped, centred": Code(clipped, centred=True, scale="size"),
    "balanced scales, clipped": Code(clipped, rotated=False, scale="balance"),
    "balanced scales, rotated, clipped": Code(clipped, scale="balance"),
    "balanced scales, rotated, clipped, centred": Code(clipped, centred=True, scale="balance"),
}


class Cache:
    """The attention of all layers. `codes` are those of keys and values, None for the
    exact ones; `statistics` the static scales of keys and values by layer."""

    def __init__(self, context):
        self.context, self.codes, self.statistics, self.seen = context, None, {}, None

    def __call__(self, module, query, key, value, mask, scaling, **_):
        layer, groups = module.layer_idx, module.num_key_value_groups
        if self.seen is not None:
            self.note(layer, groups, query, key, value)
        if self.codes is None:
            seen_keys, seen_values = key, value
        else:
            seen_keys, seen_values = (
                code(x, statistics, self.context)
                for code, x, statistics in zip(self.codes, (key, value), self.statistics[layer])
            )
        tokens, queries = key.shape[-2], query.shape[-2]
        position = torch.arange(tokens - queries, tokens)[:, None]
        token = torch.arange(tokens)[None]
        old = (token >= FIRST) & (token <= position - NEWEST)
        key, value, seen_keys, seen_values = (
            x.repeat_interleave(groups, 1) for x in (key, value, seen_keys, seen_values)
        )
        scores = query @ key.transpose(-1, -2)
        if self.codes is not None:
            scores = torch.where(old, query @ seen_keys.transpose(-1, -2), scores)
        chances = (scores * scaling).masked_fill(token > position, -math.inf).softmax(-1)
        if self.codes is None:
            mixed = chances @ value
        else:
            mixed = (chances * old) @ seen_values + (chances * ~old) @ value
        return mixed.transpose(1, 2).contiguous(), None

    def note(self, layer, groups, query, key, value):
        """Mean squares by key-value head and channel; queries pooled over the heads
        that share a key. The two channels that are turned together have one scale, so
        that it can be folded into the weights before the turn."""

        def squares(x, pairs):
            mean = x.square().mean((0, 2))
            if pairs:
                mean = mean.unflatten(-1, (2, -1)).mean(-2).repeat(1, 2)
            return mean[None, :, None]

        queries = query.unflatten(1, (-1, groups)).flatten(2, 3)
        found = (squares(queries, True), squares(key, True), squares(value, False))
        self.seen[layer] = tuple(map(torch.add, self.seen[layer], found)) if layer in self.seen else found

    def calibrated(self):
        for layer, (queries, keys, values) in self.seen.items():
            self.statistics[layer] = (
                {"size": keys.sqrt(), "balance": (keys / queries) ** 0.25},
                {"size": values.sqrt()},
            )
        self.seen = None


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--context", type=int, default=992)
    parser.add_argument("--score", type=int, default=128)
    parser.add_argument("--windows", type=int, default=16)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_grad_enabled(False)
    torch.set_num_threads(arguments.threads)
    length = arguments.context + arguments.score

    cache = Cache(arguments.context)
    AttentionInterface.register("coded", cache)
    place = {"pretrained_model_name_or_path": arguments.model.parent, "gguf_file": arguments.model.name}
    model = AutoModelForCausalLM.from_pretrained(**place, dtype=torch.float32, attn_implementation="coded").eval()
    text = (arguments.data / "wikitext2/valid.txt").read_text(encoding="utf-8")
    ids = AutoTokenizer.from_pretrained(**place)(text, add_special_tokens=False, return_tensors="pt").input_ids[0]
    ids = ids[: len(ids) // 2]
    windows = [ids[None, index * length : (index + 1) * length] for index in range(arguments.windows + CALIBRATING)]

    cache.seen = {}
    for window in windows[arguments.windows :]:
        model(window, logits_to_keep=1)
    cache.calibrated()

    # Values meet no queries that could be balanced with them.
    compared = [(name, "keys") for name in CODES]
    compared += [(name, "values") for name, code in CODES.items() if code.scale != "balance"]
    divergences = dict.fromkeys(compared, 0.0)
    start = time.monotonic()
    for index, window in enumerate(windows[: arguments.windows]):
        cache.codes = None
        past = model.model(window[:, : arguments.context], use_cache=True).past_key_values

        def scored():
            logits = model(window[:, arguments.context :], cache=past, use_cache=True).logits[0]
            past.crop(-arguments.score)
            return logits.double().log_softmax(-1)

        exact = scored()
        for name, which in compared:
            cache.codes = (CODES[name], VALUES) if which == "keys" else (KEYS, CODES[name])
            found = (exact.exp() * (exact - scored())).sum(-1).mean().item()
            divergences[(name, which)] += found / arguments.windows
        took = time.monotonic() - start
        left = took / (index + 1) * (arguments.windows - index - 1)
        print(f"{index + 1} of {arguments.windows} windows, {left:.0f} s left", file=sys.stderr)
    width = model.config.head_dim
    for name, code in CODES.items():
        of_name = [(which, divergence) for (other, which), divergence in divergences.items() if other == name]
        found = {f"divergence_{which}": round(divergence, 6) for which, divergence in of_name}
        print(json.dumps({"code": name, "bytes": code.bytes(width)} | found))


if __name__ == "__main__":
    main()
