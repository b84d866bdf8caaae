"""Texts: the files that hold them, and the batches that a model takes.

A batch has no padding: the tokens of all of its texts stand in one list, which
attention alone spreads out into one row per text.
"""

import random

import torch
from tokenizers import Tokenizer

from failure import Failure


def lines(file):
    """The texts of a file with one a line; blank lines are none."""
    return [line for line in read(file).split("\n") if line.strip()]


def read(file):
    try:
        with open(file, encoding="utf-8", newline="") as stream:
            return stream.read().replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise Failure(f"{file}: is not UTF-8: {error}") from None


def table(file, columns, header):
    """Columns of a tab-separated file, by their numbers, as a list of tuples."""
    rows = []
    for number, line in enumerate(read(file).removesuffix("\n").split("\n"), 1):
        fields = line.split("\t")
        if number == 1 and header is not None:
            if fields != header:
                raise Failure(f"{file}: the header is {fields}, not {header}")
            continue
        if len(fields) <= max(columns):
            raise Failure(f"{file}: line {number}: has {len(fields)} columns")
        rows.append(tuple(fields[column] for column in columns))
    return rows


def sst2(file):
    """(sentence, label) of SST-2's format."""
    return table(file, (0, 1), ["sentence", "label"])


def cola(file):
    """(sentence, label) of CoLA's format."""
    return table(file, (3, 1), None)


def stsb(file):
    """(first sentence, second sentence, score) of STS-B's format."""
    return table(file, (0, 1, 2), ["sentence1", "sentence2", "score"])


# Tasks whose files hold sentences: how many of a row's columns, and how to read it.
TASKS = {"sst2": (1, sst2), "cola": (1, cola), "stsb": (2, stsb)}


def sentences(task, file):
    """All sentences of a task's file, without labels."""
    columns, read = TASKS[task]
    return [text for row in read(file) for text in row[:columns]]


class Encoding:
    """The tokens of one text."""

    def __init__(self, ids, type_ids, protected):
        self.ids = ids
        self.type_ids = type_ids
        # The special tokens around the text, which a plan always computes.
        self.protected = protected

    def __len__(self):
        return len(self.ids)


class Encoder:
    """A checkpoint's tokenizer, which cuts texts to `limit` tokens."""

    def __init__(self, file, limit):
        try:
            self.tokenizer = Tokenizer.from_file(str(file))
        except Exception as error:
            raise Failure(f"{file}: is no tokenizer: {error}") from None
        self.tokenizer.no_padding()
        self.tokenizer.no_truncation()
        self.limit = limit

    def encode(self, texts):
        return [self._cut(encoding) for encoding in self.tokenizer.encode_batch(texts)]

    def _cut(self, encoding):
        special = [text is None for text in encoding.sequence_ids]
        room = self.limit - sum(special)
        keep = []
        for place, flag in enumerate(special):
            room -= not flag
            if flag or room >= 0:
                keep.append(place)
        return Encoding(
            [encoding.ids[place] for place in keep],
            [encoding.type_ids[place] for place in keep],
            [special[place] for place in keep],
        )


class Batch:
    """Texts that run together. T is the number of their tokens."""

    def __init__(self, inputs):
        self.inputs = inputs
        self.lengths = [len(encoding) for encoding in inputs]
        self.starts = [0]
        for length in self.lengths:
            self.starts.append(self.starts[-1] + length)
        # All (T).
        self.ids = torch.tensor([id for e in inputs for id in e.ids])
        self.type_ids = torch.tensor([id for e in inputs for id in e.type_ids])
        self.places = torch.tensor([place for n in self.lengths for place in range(n)])
        self.texts = torch.repeat_interleave(
            torch.arange(len(inputs)), torch.tensor(self.lengths)
        )
        self.first = torch.tensor(self.starts[:-1])

    def __len__(self):
        return len(self.inputs)


def by_length(inputs, tokens=1024):
    """All inputs in batches of about that many tokens, the longest first: lists
    of indices."""
    order = sorted(range(len(inputs)), key=lambda index: -len(inputs[index]))
    batches, count = [], 0
    for index in order:
        if not batches or count + len(inputs[index]) > tokens:
            batches.append([])
            count = 0
        batches[-1].append(index)
        count += len(inputs[index])
    return batches


def forever(inputs, size, seed):
    """Shuffled batches of `size` indices, epoch after epoch. Texts of like length
    run together, which attention pads less, out of some batches at a time."""
    shuffler = random.Random(seed)
    order = list(range(len(inputs)))
    while True:
        shuffler.shuffle(order)
        for begin in range(0, len(order), 50 * size):
            some = sorted(order[begin : begin + 50 * size], key=lambda i: len(inputs[i]))
            batches = [some[place : place + size] for place in range(0, len(some), size)]
            shuffler.shuffle(batches)
            yield from batches
