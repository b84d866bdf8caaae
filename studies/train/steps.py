"""The steps of a training, and the line that says how far they are."""

import sys
import time

import torch

from failure import Failure

# Share of the steps in which the rate rises to its height; then it falls to 0.
WARMUP = 0.06


def rate(step, steps):
    """The share of the highest rate at a step."""
    return min(1.0, (step + 1) / (WARMUP * steps)) * (steps - step) / steps


def train(parameters, steps, lr, loss_of, decay=0.0):
    """Takes `steps` steps of AdamW on `loss_of()`."""
    optimizer = torch.optim.AdamW(parameters, lr=lr, weight_decay=decay)
    progress = Progress(steps)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = lr * rate(step, steps)
        loss = loss_of()
        if not torch.isfinite(loss):
            raise Failure(f"the loss is not finite at step {step + 1}: a lower --lr may help")
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        progress.take(loss.item())
    progress.finish()


class Progress:
    """Steps, mean of the last losses and time left, on standard error: one line
    that is written anew on a terminal, else ten in all."""

    def __init__(self, steps):
        self.steps, self.taken, self.loss = steps, 0, None
        self.start = self.shown = time.monotonic()

    def take(self, loss):
        self.taken += 1
        self.loss = loss if self.loss is None else 0.95 * self.loss + 0.05 * loss
        now = time.monotonic()
        if sys.stderr.isatty():
            if now - self.shown > 0.2:
                self.shown = now
                sys.stderr.write(f"\r\x1b[K{self}")
        elif self.taken * 10 // self.steps > (self.taken - 1) * 10 // self.steps:
            sys.stderr.write(f"{self}\n")
        sys.stderr.flush()

    def __str__(self):
        seconds = time.monotonic() - self.start
        left = seconds / self.taken * (self.steps - self.taken)
        return (
            f"step {self.taken}/{self.steps}, loss {self.loss:.4f}, "
            f"{clock(seconds)} so far, {clock(left)} left"
        )

    def finish(self):
        if sys.stderr.isatty():
            sys.stderr.write(f"\r\x1b[K{self}\n")


def clock(seconds):
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"
