"""A BERT under a plan, so that it can be trained: what
crates/model/src/bert/planned does in integers, on the same codes in floats.

Letters in shapes: T tokens of a batch, B texts, R rows that take part in a
product, H heads, d the hidden width.
"""

from collections import namedtuple

import torch

from arithmetic import Fast
from failure import Failure
from plan import Gain, map_name
from quantize import Codes, block_of, linear, symmetric, unsigned

# Balancing factors stay within this ratio of their mean.
WIDEST = 16.0

# What happens to the rows of an input before they are quantized: one factor per
# channel or none, and the block of the rotation.
Preparation = namedtuple("Preparation", "balance block")
PLAIN = Preparation(None, 1)

# `Codes` of the weights (n, k) of inputs that are prepared so, and the bias (n).
Quantized = namedtuple("Quantized", "input weight bias")


class Text:
    """One text of a batch on its way through the layers."""

    def __init__(self, input, start, average, scores):
        self.start = start
        # The row that may stand for the average of its 0-bit tokens.
        self.average = average
        self.protected = input.protected
        self.scores = scores
        self.gone = [False] * len(input)
        self.tiers = []

    def choose_tiers(self, plan, index):
        self.tiers = plan.assign(index, self.scores, self.protected, self.gone)
        if not plan.layers[index].compensation.may_return:
            self.gone = [g or t == 0 for g, t in zip(self.gone, self.tiers)]

    def present(self):
        """(token, tier) of those that have not left for good."""
        return [(i, tier) for i, tier in enumerate(self.tiers) if not self.gone[i]]

    def left_out(self):
        return [i for i, tier in self.present() if tier == 0]


class Rows:
    """The rows of a batch's states that take part in a product: where they stand,
    at which bits, of which text, and at which place among its rows. All (R)."""

    def __init__(self, texts, bits_of, averages=False):
        places, bits, of_text, slots, self.counts = [], [], [], [], []
        for number, text in enumerate(texts):
            rows = [(text.start + i, bits_of(tier)) for i, tier in text.present() if bits_of(tier)]
            if averages and text.left_out():
                rows.append((text.average, 8))
            places += [place for place, _ in rows]
            bits += [width for _, width in rows]
            of_text += [number] * len(rows)
            slots += range(len(rows))
            self.counts.append(len(rows))
        self.places = torch.tensor(places, dtype=torch.long)
        self.bits = torch.tensor(bits, dtype=torch.float)
        self.texts = torch.tensor(of_text, dtype=torch.long)
        self.slots = torch.tensor(slots, dtype=torch.long)

    def __len__(self):
        return len(self.places)

    def pick(self, values, some):
        """Of one value per row those of `some` of these rows."""
        if len(some) == len(self):
            return values
        index = torch.full((int(self.places.max()) + 1,), -1)
        index[self.places] = torch.arange(len(self))
        return values[index[some.places]]

    def pick_codes(self, codes, some):
        return Codes(*(self.pick(values, some) for values in codes))

    def spread(self, values):
        """(B, most rows of a text, k) from (R, k), zeros where there is no row."""
        shape = len(self.counts), max(self.counts), values.shape[1]
        return values.new_zeros(shape).index_put((self.texts, self.slots), values)

    def gather(self, spread):
        """The inverse of `spread`."""
        return spread[self.texts, self.slots]

    def there(self):
        """Which places of `spread` are rows."""
        return torch.arange(max(self.counts)) < torch.tensor(self.counts)[:, None]


class LayerRows:
    """The rows of a layer, by the part that they take in it."""

    def __init__(self, texts, compensation):
        offered, change = compensation.key_bits, compensation.change
        own = lambda tier: tier
        key = lambda tier: tier or offered
        fused = change == "fused"
        # Whose state is quantized, who attends, who is attended to, who passes
        # the feed-forward network, and who is left out.
        if change == "low-rank":
            self.inputs = Rows(texts, lambda tier: tier or 4)
        else:
            self.inputs = Rows(texts, key, fused)
        self.queries = Rows(texts, key if compensation.attends else own, fused)
        self.keys = Rows(texts, key, fused and not offered)
        self.computed = Rows(texts, own, fused)
        self.left_out = Rows(texts, lambda tier: 0 if tier else 4)


class PlannedBert:
    """A `Bert` under a `Plan`. The weights stay the `Bert`'s: `prepare` quantizes
    them as they are at the time."""

    def __init__(self, bert, plan, arithmetic=Fast):
        plan.check_depth(bert.layers)
        self.bert, self.plan, self.arithmetic = bert, plan, arithmetic
        # The calibration's maps by name.
        self.maps = plan.read_calibration()
        self.prior = self.maps.pop("prior", None) if plan.prior else None
        self.layers = []

    # Weights

    def prepare(self):
        """Quantizes all weights."""
        plan, bert = self.plan, self.bert
        head = block_of(bert.width // bert.heads) if plan.rotation else 1
        before = bert.linear("embeddings.LayerNorm")
        self.layers = []
        for index in range(bert.layers):
            part = lambda name: bert.of_layer(index, name)
            query, key, value = (part(f"attention.self.{p}") for p in ("query", "key", "value"))
            output, up, down = (part(p) for p in ("attention.output.dense", "intermediate.dense", "output.dense"))
            norm = part("attention.output.LayerNorm")
            states = self.preparation(of_norm(before), [query, key, value])
            attended = self.preparation(of_norm(norm), [up])
            wide = self.preparation(self.of_gelu(norm, up), [down])
            layer = {
                name: self.quantized(self.rotate_outputs(linear, head), states)
                for name, linear in (("query", query), ("key", key), ("value", value))
            }
            # Per head: q and k by the same rotation, v by one that W_o takes back.
            layer["output"] = self.quantized((self.rotate(output[0], head), output[1]), PLAIN)
            layer["up"] = self.quantized(up, attended)
            layer["down"] = self.quantized(down, wide)
            layer["attention_norm"], layer["output_norm"] = norm, part("output.LayerNorm")
            before = layer["output_norm"]
            if plan.layers[index].predicts:
                input = attended if plan.layers[index].compensation.attends else states
                layer["estimator"] = self.estimator(index, input)
            self.layers.append(layer)

    def preparation(self, mean_squares, linears):
        width = linears[0][0].shape[1]
        balance = self.factors(mean_squares, linears) if self.plan.balance else None
        return Preparation(balance, block_of(width) if self.plan.rotation else 1)

    def quantized(self, linear, input):
        weight, bias = linear
        if input.balance is not None:
            weight = weight / input.balance
        bits = torch.full((len(weight),), float(self.plan.weight_bits))
        weight = self.symmetric(self.rotate(weight, input.block), bits)
        return Quantized(input, weight, bias)

    def estimator(self, index, input):
        """The map that estimates a change: gain and offset, or two factors."""
        name = map_name(index, self.plan.layers[index].compensation)
        offset = self.maps[f"{name}.offset"]
        if f"{name}.gain" in self.maps:
            return self.maps[f"{name}.gain"], offset
        down, up = self.maps[f"{name}.down"], self.maps[f"{name}.up"]
        # Between the factors the rotation is free.
        block = block_of(len(down)) if self.plan.rotation else 1
        down = self.rotate_outputs((down, torch.zeros(len(down))), block)
        return self.quantized(down, input), self.quantized((self.rotate(up, block), offset), PLAIN)

    def rotate(self, rows, block):
        """Rotates the last dimension in blocks."""
        return rows if block == 1 else self.arithmetic.hadamard(rows, block)

    def rotate_outputs(self, linear, block):
        """Rotates the outputs of a linear layer: rows of its weight, and its bias."""
        weight, bias = linear
        return self.rotate(weight.T.contiguous(), block).T.contiguous(), self.rotate(bias, block)

    # Balance, as crates/model/src/bert/planned/balance.rs derives it. The factors
    # follow the weights but carry no gradient.

    @torch.no_grad()
    def of_gelu(self, norm, linear):
        """Mean squares of the channels after a layer norm, a linear layer and GELU."""
        if not self.plan.balance:
            return None
        (gain, shift), (weight, bias) = norm, linear
        add_up = self.arithmetic.add_up
        mean = add_up(weight * shift, 1) + bias
        deviation = self.arithmetic.sqrt(add_up(weight * weight * gain * gain, 1))
        z = 8 * (torch.arange(64) + 0.5) / 64 - 4
        share = (-0.5 * z * z).double().exp().float()
        values = self.arithmetic.gelu(mean[:, None] + deviation[:, None] * z)
        return add_up(values * values * share, 1) / add_up(share, 0)

    @torch.no_grad()
    def factors(self, mean_squares, linears):
        """The factors of inputs with these mean squares that meet these weights."""
        rows = torch.cat([weight for weight, _ in linears])
        weights = self.arithmetic.add_up(rows * rows, 0)
        # The C library's power of floats, as the engine's.
        # In f64 and rounded, as the engine's library has it; numpy's own f32 power depends on the
        # processor.
        factors = ((weights / mean_squares).double() ** 0.25).float()
        known = factors.isfinite() & (factors > 0)
        mean = self.arithmetic.add_up(factors[known], 0) / known.sum()
        return torch.where(known, (factors / mean).clamp(1 / WIDEST, WIDEST), 1.0)

    # One product

    def symmetric(self, rows, bits):
        return symmetric(rows, bits, self.plan.clipping, self.arithmetic)

    def codes(self, rows, bits, input):
        """Rows (R, k), prepared and quantized at their bits."""
        if input.balance is not None:
            rows = rows * input.balance
        rows = self.rotate(rows, input.block)
        parts = rows.split(self.plan.group or rows.shape[1], 1)
        parts = [self.symmetric(part, bits) for part in parts]
        return Codes(*(torch.cat(values, 1) for values in zip(*parts)))

    def multiply(self, codes, layer):
        return linear(codes, layer.weight, layer.bias, self.plan.group)

    def through(self, rows, bits, layer):
        return self.multiply(self.codes(rows, bits, layer.input), layer)

    def add_norm(self, change, states, norm):
        return self.arithmetic.layer_norm(states + change, *norm, self.bert.epsilon)

    # The forward pass

    def run(self, batch):
        """Value of each text; and after each layer the hidden states (T, d) with
        the tokens (T) whose state it computed or estimated."""
        bert, total = self.bert, len(batch.ids)
        states = self.arithmetic.layer_norm(
            bert.embed(batch), *bert.linear("embeddings.LayerNorm"), bert.epsilon
        )
        # Behind the tokens one row per text is set aside.
        states = torch.cat([states, states.new_zeros(len(batch), bert.width)])
        texts = self.texts(batch)
        after = []
        for index in range(bert.layers):
            for text in texts:
                text.choose_tiers(self.plan, index)
            states = self.run_layer(index, states, texts)
            after.append((states[:total], self.fresh(index, texts, total)))
        states, fresh = after[-1]
        return bert.read_out(batch, states, fresh), after

    def texts(self, batch):
        texts = []
        for number, input in enumerate(batch.inputs):
            if not any(input.protected):
                raise Failure("a text without special tokens: a plan needs them")
            scores = [0.0] * len(input)
            if self.prior is not None:
                scores = (self.prior[input.ids] / len(input)).tolist()
            texts.append(Text(input, batch.starts[number], batch.starts[-1] + number, scores))
        return texts

    def fresh(self, index, texts, total):
        estimated = self.plan.layers[index].compensation.change is not None
        flags = torch.zeros(total, dtype=torch.bool)
        flags[Rows(texts, lambda tier: tier or 4 * estimated).places] = True
        return flags

    def run_layer(self, index, states, texts):
        layer, compensation = self.layers[index], self.plan.layers[index].compensation
        rows = LayerRows(texts, compensation)
        inputs, queries, keys = rows.inputs, rows.queries, rows.keys
        computed, left_out = rows.computed, rows.left_out
        if compensation.change == "fused":
            states = self.fuse(states, texts)
        input = self.codes(states[inputs.places], inputs.bits, layer["query"].input)
        query = self.multiply(inputs.pick_codes(input, queries), layer["query"])
        offered = inputs.pick_codes(input, keys)
        key, value = self.multiply(offered, layer["key"]), self.multiply(offered, layer["value"])
        context = self.attend(texts, query, key, value, queries, keys)
        attention = self.through(context, queries.bits, layer["output"])
        attended = self.add_norm(attention, states[queries.places], layer["attention_norm"])

        own = queries.pick(attended, computed)
        wide = self.arithmetic.gelu(self.through(own, computed.bits, layer["up"]))
        change = self.through(wide, computed.bits, layer["down"])
        out = self.add_norm(change, own, layer["output_norm"])
        out = states.index_copy(0, computed.places, out)
        if not len(left_out) or compensation.change is None:
            return out
        if compensation.change == "fused":
            changes = queries.pick(attention, computed), change
            return self.take_on(layer, states, out, texts, changes, computed.places)
        if compensation.attends:
            base = queries.pick(attended, left_out)
            codes = lambda: self.codes(base, left_out.bits, layer["up"].input)
        else:
            base = states[left_out.places]
            codes = lambda: inputs.pick_codes(input, left_out)
        first, second = layer["estimator"]
        if isinstance(first, Quantized):
            middle = self.multiply(codes(), first)
            change = self.through(middle, left_out.bits, second)
        else:
            change = base * first + second
        return out.index_copy(0, left_out.places, self.add_norm(change, base, layer["output_norm"]))

    def attend(self, texts, query, key, value, queries, keys):
        """Heads side by side, (R, d). Adds what each token received to its score."""
        split, heads = self.bert.split_heads, self.bert.heads
        scale = 1 / self.arithmetic.sqrt(torch.tensor(query.shape[1] / heads))
        q, k, v = (
            self.quantize_heads(rows, by) for rows, by in ((query, queries), (key, keys), (value, keys))
        )
        scores = split(q.codes) @ split(k.codes).transpose(-1, -2)
        # Scales are (B, H, queries, 1) and (B, H, 1, keys).
        scores = scores * (q.scales * k.scales.transpose(-1, -2))
        there = keys.there()[:, None, None, :]
        probabilities = self.arithmetic.softmax(scores, there, scale)
        with torch.no_grad():
            self.add_gains(texts, probabilities, v, queries, keys)
        # The values' scales go into the probabilities, so that the sum over
        # tokens of different scales is one of plain integers.
        weighted = probabilities * v.scales.transpose(-1, -2)
        bits = self.plan.probability_bits
        bits = queries.bits if bits == "tier" else torch.full_like(queries.bits, bits)
        bits = queries.spread(bits[:, None])[:, None]
        codes, scales = unsigned(weighted, bits.clamp(min=1))
        context = (codes @ split(v.codes)) * scales
        return queries.gather(context.transpose(1, 2).flatten(2))

    def quantize_heads(self, values, rows):
        """Values (R, d) at their rows' bits, one scale per row and head, spread out:
        codes (B, most rows, d) and scales (B, H, most rows, 1)."""
        heads = self.bert.heads
        parts = values.unflatten(1, (heads, -1)).flatten(0, 1)
        codes, scales = self.symmetric(parts, rows.bits.repeat_interleave(heads))
        scales = rows.spread(scales.view(-1, heads)).transpose(1, 2)[..., None]
        return Codes(rows.spread(codes.view(values.shape)), scales)

    def add_gains(self, texts, probabilities, values, queries, keys):
        add_up = self.arithmetic.add_up
        # (B, H, keys)
        received = add_up(probabilities * queries.there()[:, None, :, None], 2)
        if self.plan.weighs_values:
            codes = self.bert.split_heads(values.codes)
            norms = self.arithmetic.sqrt(codes.square().sum(-1)) * values.scales.squeeze(-1)
            means = add_up(norms, 2)[..., None] / torch.tensor(keys.counts)[:, None, None]
            received = torch.where(means > 0, received * (norms / means), received)
        received = add_up(received, 1)
        begin = 0
        for number, text in enumerate(texts):
            count = keys.counts[number]
            places = (keys.places[begin : begin + count] - text.start).tolist()
            begin += count
            means = received[number, :count] * (1 / (self.bert.heads * queries.counts[number]))
            # The average's row, which comes last, is no token.
            places = [place for place in places if place < len(text.scores)]
            self.plan.add_gain(text.scores, Gain(places, means[: len(places)].tolist(), text.tiers))
            text.scores = torch.tensor(text.scores).tolist()

    def fuse(self, states, texts):
        """Puts the average of each text's 0-bit tokens, weighted by importance,
        into the row set aside for it."""
        for text in texts:
            tokens = text.left_out()
            if not tokens:
                continue
            weights = torch.tensor([max(text.scores[token], 0.0) for token in tokens])
            total = self.arithmetic.add_up(weights, 0)
            weights = weights / total if total > 0 else torch.full_like(weights, 1 / len(tokens))
            rows = states[[text.start + token for token in tokens]]
            average = self.arithmetic.add_up(weights[:, None] * rows, 0)
            states = states.index_copy(0, torch.tensor([text.average]), average[None])
        return states

    def take_on(self, layer, states, out, texts, changes, places):
        """Gives 0-bit tokens the changes that a layer made to their average, which
        stands at one of `places` in the changes of attention and network."""
        where = {place: row for row, place in enumerate(places.tolist())}
        tokens, rows = [], []
        for text in texts:
            for token in text.left_out():
                tokens.append(text.start + token)
                rows.append(where[text.average])
        attention, network = (change[rows] for change in changes)
        taken = self.add_norm(attention, states[tokens], layer["attention_norm"])
        taken = self.add_norm(network, taken, layer["output_norm"])
        return out.index_copy(0, torch.tensor(tokens), taken)


@torch.no_grad()
def of_norm(norm):
    """Mean squares of the channels that a layer norm gives."""
    gain, bias = norm
    return gain * gain + bias * bias
