"""What lies between the matrix products, twice.

At 4 bits one code more or less at an early layer changes the codes of all later
ones, so that a last bit of a float decides about the noise of the whole run. For
training that is as good as any other noise: `Fast` is torch's own functions. To
hold the emulation against the engine, `Engine` adds in the engine's order (see
crates/kernels/src/vector and crates/model/src/bert/planned): then all codes are
the same.
"""

import math
from functools import cache

import numpy
import torch
import torch.nn.functional as F


class Fast:
    """Torch's own functions, with gradients."""

    @staticmethod
    def hadamard(rows, block):
        """Multiplies each block of the last dimension by the orthonormal Hadamard
        matrix, its own inverse."""
        return (rows.unflatten(-1, (-1, block)) @ matrix(block)).flatten(-2)

    @staticmethod
    def layer_norm(rows, gain, bias, epsilon):
        return F.layer_norm(rows, (len(gain),), gain, bias, epsilon)

    gelu = staticmethod(F.gelu)

    @staticmethod
    def softmax(scores, there, scale):
        """Over the last dimension, where something is `there`."""
        return (scores * scale).masked_fill(~there, -math.inf).softmax(-1)

    sqrt = staticmethod(torch.sqrt)

    @staticmethod
    def add_up(values, dim):
        return values.sum(dim)

    @staticmethod
    def row_sum(rows):
        """Of the last dimension, which stays, as 1."""
        return rows.sum(-1, keepdim=True)


@cache
def matrix(block):
    """The orthonormal Hadamard matrix in Sylvester's order."""
    matrix = torch.ones(1, 1)
    while len(matrix) < block:
        matrix = torch.cat([torch.cat([matrix, matrix], 1), torch.cat([matrix, -matrix], 1)])
    return matrix / math.sqrt(block)


class Engine:
    """The engine's functions, bit for bit, without gradients."""

    @staticmethod
    def hadamard(rows, block):
        shape, half = rows.shape, 1
        while half < block:
            a, b = rows.reshape(-1, 2, half).unbind(1)
            rows = torch.stack([a + b, a - b], 1)
            half *= 2
        return rows.reshape(shape) * (1 / Engine.sqrt(torch.tensor(float(block))))

    @staticmethod
    def layer_norm(rows, gain, bias, epsilon):
        width = len(gain)
        rows = rows - Engine.row_sum(rows) / width
        scale = 1 / Engine.sqrt(Engine.row_sum(rows * rows) / width + epsilon)
        return rows * scale * gain + bias

    @staticmethod
    def gelu(x):
        return x * 0.5 * (1 + erf(x * math.sqrt(0.5)))

    @staticmethod
    def softmax(scores, there, scale):
        highest = scores.masked_fill(~there, -math.inf).amax(-1, keepdim=True)
        powers = exp(((scores - highest) * scale).clamp(max=0)) * there
        return powers * (1 / Engine.row_sum(powers))

    @staticmethod
    def sqrt(values):
        """The nearest float, which torch's vectorised root need not be."""
        return torch.as_tensor(numpy.sqrt(values.numpy()))

    @staticmethod
    def add_up(values, dim):
        """One after the other."""
        sums = numpy.add.accumulate(values.numpy(), axis=dim, dtype=numpy.float32)
        return torch.from_numpy(sums).select(dim, -1)

    @staticmethod
    def row_sum(rows):
        """In 16 lanes, which are then joined in pairs."""
        rest = -rows.shape[-1] % 16
        chunks = F.pad(rows, (0, rest)).unflatten(-1, (-1, 16)).unbind(-2)
        lanes = torch.zeros_like(chunks[0])
        for chunk in chunks:
            lanes = lanes + chunk
        while lanes.shape[-1] > 1:
            low, high = lanes.chunk(2, -1)
            lanes = low + high
        return lanes


def exp(x):
    """For x at most 0."""
    rounder = 12582912.0
    n = (x * math.log2(math.e) + rounder) - rounder
    r = (x - n * 0.6933594) - n * -2.1219444e-4
    p = torch.full_like(x, 1.9875691e-4)
    for coefficient in (1.3981999e-3, 8.333452e-3, 4.1665796e-2, 0.16666666, 0.5):
        p = p * r + coefficient
    e = p * (r * r) + r + 1
    # 2^n by writing n into the exponent's bits.
    power = ((n.clamp(min=-126).int() + 127) << 23).view(torch.float)
    return torch.where(x < -87, 0.0, e * power)


def erf(x):
    t = 1 / (1 + 0.3275911 * x.abs())
    p = torch.full_like(x, 1.0614054)
    for coefficient in (-1.453152, 1.4214138, -0.28449672, 0.2548296):
        p = p * t + coefficient
    return (1 - p * t * exp(-x.abs() * x.abs())).copysign(x)
