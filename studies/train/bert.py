"""BERT at f32, by the names of its tensors in a checkpoint.

Letters in shapes: T tokens of a batch, B texts, H heads, d the hidden width.
"""

import json
import os
import shutil
import tempfile
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from failure import Failure
from texts import Encoder

# What goes along with a checkpoint's weights into a folder of its own: of any, and
# of a sentence encoder.
KEPT = "tokenizer*.json", "special_tokens_map.json", "LICENSE*", "NOTICE*"
KEPT_OF_ENCODERS = "modules.json", "*sentence*.json", "*/config.json"


class Bert:
    """A checkpoint in Hugging Face's layout: a sentence encoder with mean or cls
    pooling, or a classifier of texts."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.config = read_json(self.folder / "config.json")
        c = self.config
        if c.get("model_type") != "bert" or c.get("hidden_act") != "gelu":
            raise Failure(f"{self.folder}/config.json: must be a `bert` with `gelu`")
        try:
            self.layers, self.heads = c["num_hidden_layers"], c["num_attention_heads"]
            self.width, self.epsilon = c["hidden_size"], c["layer_norm_eps"]
            self.limit = c["max_position_embeddings"]
        except KeyError as key:
            raise Failure(f"{self.folder}/config.json: lacks {key}") from None
        file = self.folder / "model.safetensors"
        try:
            stored = load_file(file)
        except SafetensorError as error:
            raise Failure(f"{file}: {error}") from None
        # Tables of positions are integers: kept as they are.
        self.others = {n: t for n, t in stored.items() if not t.is_floating_point()}
        self.tensors = {n: t.float() for n, t in stored.items() if t.is_floating_point()}
        prefixed = "bert.embeddings.word_embeddings.weight" in self.tensors
        self.prefix = "bert." if prefixed else ""
        architecture = (c.get("architectures") or ["BertModel"])[0]
        if architecture == "BertForSequenceClassification":
            self.labels = [c["id2label"][str(i)] for i in range(len(c["id2label"]))]
        elif architecture == "BertModel":
            self.labels = None
            self.pooling, self.normalize = read_pooling(self.folder)
        else:
            raise Failure(f"{self.folder}/config.json: {architecture} is neither encoder nor classifier")

    def become_classifier(self, labels):
        """Puts a new linear layer with these labels on top of an encoder."""
        self.prefix = "bert."
        self.tensors = {f"bert.{name}": tensor for name, tensor in self.tensors.items()}
        self.others = {}
        self.labels = list(labels)
        spread = self.config.get("initializer_range", 0.02)
        new = {"classifier": len(labels)}
        if self.tensor("pooler.dense.weight") is None:
            new["bert.pooler.dense"] = self.width
        for name, n in new.items():
            self.tensors[f"{name}.weight"] = spread * torch.randn(n, self.width)
            self.tensors[f"{name}.bias"] = torch.zeros(n)
        self.config = {
            **{key: value for key, value in self.config.items() if key != "_name_or_path"},
            "architectures": ["BertForSequenceClassification"],
            "id2label": {str(id): label for id, label in enumerate(labels)},
            "label2id": {label: id for id, label in enumerate(labels)},
        }

    def encoder(self, most=None):
        """The tokenizer, which cuts texts to `most` tokens or the model's limit."""
        return Encoder(self.folder / "tokenizer.json", min(most or self.limit, self.limit))

    def tensor(self, name):
        """A tensor by its name without the prefix that classifiers have."""
        return self.tensors.get(self.prefix + name, self.tensors.get(name))

    def linear(self, name):
        """Weight (n, k) and bias (n)."""
        return self.tensor(f"{name}.weight"), self.tensor(f"{name}.bias")

    def of_layer(self, index, part):
        return self.linear(f"encoder.layer.{index}.{part}")

    def norm(self, states, norm):
        """LayerNorm with that gain and bias."""
        gain, bias = norm
        return F.layer_norm(states, (len(gain),), gain, bias, self.epsilon)

    def embed(self, batch):
        """What the tokens' embeddings add up to, (T, d), before their norm."""
        tables = ("word", batch.ids), ("token_type", batch.type_ids), ("position", batch.places)
        word, kind, place = (
            F.embedding(index, self.tensor(f"embeddings.{name}_embeddings.weight"))
            for name, index in tables
        )
        return word + kind + place

    def run(self, batch, dropout=None):
        """Value of each text, and the hidden states before and after each layer.

        `dropout` is for training: (of states, of attention probabilities)."""
        of_states, of_attention = dropout or (0.0, 0.0)
        drop = lambda x: F.dropout(x, of_states) if of_states else x
        states = drop(self.norm(self.embed(batch), self.linear("embeddings.LayerNorm")))
        hidden = [states]
        for index in range(self.layers):
            parts = (self.of_layer(index, f"attention.self.{p}") for p in ("query", "key", "value"))
            q, k, v = (F.linear(states, *part) for part in parts)
            context = self.attend(batch, q, k, v, of_attention)
            change = drop(F.linear(context, *self.of_layer(index, "attention.output.dense")))
            norm = self.of_layer(index, "attention.output.LayerNorm")
            attended = self.norm(states + change, norm)
            wide = F.gelu(F.linear(attended, *self.of_layer(index, "intermediate.dense")))
            change = drop(F.linear(wide, *self.of_layer(index, "output.dense")))
            states = self.norm(attended + change, self.of_layer(index, "output.LayerNorm"))
            hidden.append(states)
        computed = torch.ones(len(batch.ids), dtype=torch.bool)
        return self.read_out(batch, states, computed, of_states), hidden

    def attend(self, batch, q, k, v, dropout):
        """Heads side by side, (T, d), from queries, keys and values (T, d)."""
        n = max(batch.lengths)
        spread = lambda rows: self.split_heads(
            rows.new_zeros(len(batch), n, self.width).index_put((batch.texts, batch.places), rows)
        )
        there = torch.zeros(len(batch), n, dtype=torch.bool)
        there[batch.texts, batch.places] = True
        out = F.scaled_dot_product_attention(
            spread(q), spread(k), spread(v), there[:, None, None, :], dropout
        )
        return out.transpose(1, 2).flatten(2)[batch.texts, batch.places]

    def split_heads(self, rows):
        """(B, H, n, d / H) from (B, n, d)."""
        return rows.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def read_out(self, batch, states, computed, dropout=0.0):
        """Logits or embeddings, one row per text. `computed` (T) are the tokens
        whose states may be averaged."""
        first = states[batch.first]
        if self.labels:
            pooled = torch.tanh(F.linear(first, *self.linear("pooler.dense")))
            pooled = F.dropout(pooled, dropout) if dropout else pooled
            return F.linear(pooled, self.tensors["classifier.weight"], self.tensors["classifier.bias"])
        if self.pooling == "cls":
            pooled = first
        else:
            share = computed.to(states.dtype)[:, None]
            sums = states.new_zeros(len(batch), self.width).index_add(0, batch.texts, states * share)
            counts = states.new_zeros(len(batch), 1).index_add(0, batch.texts, share)
            pooled = sums / counts
        return F.normalize(pooled) if self.normalize else pooled

    def save(self, output, extra=None):
        """Writes the checkpoint at f16, whole or not at all: a folder that is not
        there yet. `extra` writes further files into the folder that it is given."""
        halves = {name: tensor.detach().half() for name, tensor in self.tensors.items()}
        for name, tensor in halves.items():
            if not torch.isfinite(tensor).all():
                raise Failure(f"`{name}` holds a number beyond f16: a lower --lr may help")
        output = Path(output)
        output.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=f".{output.name}-", dir=output.parent))
        try:
            for pattern in KEPT if self.labels else KEPT + KEPT_OF_ENCODERS:
                for file in self.folder.glob(pattern):
                    to = made / file.relative_to(self.folder)
                    to.parent.mkdir(exist_ok=True)
                    shutil.copyfile(file, to)
            (made / "config.json").write_text(json.dumps(self.config, indent=2) + "\n")
            save_file({**halves, **self.others}, made / "model.safetensors", {"format": "pt"})
            if extra:
                extra(made)
            # Temporary folders are for their owner alone, and so is what
            # safetensors writes.
            (made / "model.safetensors").chmod(0o666 & ~umask())
            made.chmod(0o777 & ~umask())
            made.rename(output)
        finally:
            shutil.rmtree(made, ignore_errors=True)


def umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def refuse_existing(output):
    """That nothing is where a checkpoint is going to be written."""
    if Path(output).exists():
        raise Failure(f"--output {output}: is there already")


def read_json(file):
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise Failure(f"{file}: {error}") from None


def read_pooling(folder):
    """(`mean` or `cls`, whether embeddings are normalised), from `modules.json`."""
    file = folder / "modules.json"
    if not file.exists():
        return "mean", False
    modules = read_json(file)
    kinds = [module["type"].rsplit(".", 1)[-1] for module in modules]
    if kinds not in (["Transformer", "Pooling"], ["Transformer", "Pooling", "Normalize"]):
        raise Failure(f"{file}: modules {kinds} are not supported")
    pooling = read_json(folder / modules[1]["path"] / "config.json")
    modes = [key for key, value in pooling.items() if key.startswith("pooling_mode_") and value is True]
    if modes not in (["pooling_mode_cls_token"], ["pooling_mode_mean_tokens"]):
        raise Failure(f"{folder}: pooling {modes} is not supported")
    return ("cls" if "cls" in modes[0] else "mean"), len(kinds) == 3
