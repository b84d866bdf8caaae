"""Quantizers that keep a gradient: codes are integers in floats, so that sums of
their products are exact; on the way back rounding counts as nothing, and what
was cut passes none (the straight-through estimator, Bengio et al., 2013)."""

from collections import namedtuple

import torch

# The shares of the largest magnitude that the engine's clipping tries.
SHARES = 1.0, 0.88, 0.76, 0.64

# Rows of codes (R, k), and scales (R, groups) that turn them back.
Codes = namedtuple("Codes", "codes scales")


class Symmetric(torch.autograd.Function):
    """Codes of rows (R, k), up to `limit` (R, 1), which stands for `range` (R, 1)."""

    @staticmethod
    def forward(ctx, rows, range, limit):
        inverse = inverse_of(range, limit)
        codes = rows * inverse
        if rows.requires_grad:
            # A little over: the largest may come out above its code by rounding.
            ctx.save_for_backward(codes.abs() <= limit * (1 + 1e-5), inverse)
        return torch.minimum(torch.maximum(codes, -limit), limit).round_()

    @staticmethod
    def backward(ctx, gradient):
        inside, inverse = ctx.saved_tensors
        return gradient * inverse * inside, None, None


class Unsigned(torch.autograd.Function):
    """Codes of non-negative values, up to `limit`, which stands for `largest`."""

    @staticmethod
    def forward(ctx, values, largest, limit):
        inverse = inverse_of(largest, limit)
        ctx.save_for_backward(inverse)
        return (values * inverse).round_()

    @staticmethod
    def backward(ctx, gradient):
        (inverse,) = ctx.saved_tensors
        return gradient * inverse, None, None


def inverse_of(largest, limit):
    """limit / largest, or 0 where that is no finite number."""
    inverse = limit / largest
    return inverse.masked_fill_(~inverse.isfinite(), 0.0)


def symmetric(rows, bits, clipping, arithmetic):
    """Rows (R, k) at `bits` (R) as `Codes`. With clipping, 4-bit rows get the
    share of their largest magnitude with the least squared error."""
    limit = (2.0 ** (bits - 1) - 1)[:, None]
    with torch.no_grad():
        range = rows.abs().amax(1, keepdim=True)
        if clipping and (bits == 4).any():
            range = torch.where(bits[:, None] == 4, clipped(rows, range, arithmetic), range)
    return Codes(Symmetric.apply(rows, range, limit), range / limit)


def clipped(rows, largest, arithmetic):
    """The best of a few shares of the largest magnitudes of 4-bit rows."""
    # A tensor, since torch divides a plain number by way of the reciprocal.
    limit = torch.tensor(7.0)
    best_error = best = None
    for share in SHARES:
        steps = rows * inverse_of(largest * share, limit)
        rest = steps.clamp(-limit, limit).round_().sub_(steps)
        error = arithmetic.row_sum(rest.square_()) * torch.tensor(share).square()
        if best is None:
            best_error, best = error, largest
        else:
            better = error < best_error
            best_error = torch.where(better, error, best_error)
            best = torch.where(better, largest * share, best)
    return best


def unsigned(values, bits):
    """Values (..., k) at `bits` (..., 1): codes, and their scales (..., 1)."""
    limit = 2.0**bits - 1
    largest = values.detach().amax(-1, keepdim=True)
    return Unsigned.apply(values, largest, limit), largest / limit


def linear(input, weight, bias, group):
    """(R, n) from `Codes` of rows (R, k), of which `group` channels share a scale
    (0: all), and of weights (n, k)."""
    columns, out = weight.scales.T, bias
    group = group or input.codes.shape[1]
    parts = input.codes.split(group, 1), weight.codes.split(group, 1)
    for place, (rows, weights) in enumerate(zip(*parts)):
        out = rows @ weights.T * (input.scales[:, place : place + 1] * columns) + out
    return out


def block_of(width):
    """Block of the rotation: the largest power of two up to 128 that divides it."""
    return min(width & -width, 128)
