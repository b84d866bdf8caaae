"""How far a study is, and how long it will take, on standard error."""

import sys


class Progress:
    """Counts evaluations, and knows of the calibrations before them. What is left
    of a group (evaluations, or calibrations, of one model on one set of texts) is
    taken to cost what those before it did."""

    def __init__(self, out=None):
        self.out = out or sys.stderr
        self.total = self.done = 0

    def start(self, known, groups):
        """So many evaluations are `known` already; `groups` has the group of each
        step that is still to be done."""
        self.total = known + sum(not group.startswith(CALIBRATING) for group in groups)
        self.done = known
        self.left = {group: groups.count(group) for group in dict.fromkeys(groups)}
        self.spent = {group: [] for group in self.left}
        if known:
            self.say(f"{known} of {self.total} evaluations are known already")

    def step(self, group, about, seconds):
        """A step has ended."""
        self.spent[group].append(seconds)
        self.left[group] -= 1
        self.done += not group.startswith(CALIBRATING)
        self.say(f"{group}: {about}: {duration(seconds)}; {self.remaining()}")

    def remaining(self):
        """What is left, for people: where a group has not begun, like the mean of
        the others."""
        if not any(self.left.values()):
            return "done"
        everything = [seconds for spent in self.spent.values() for seconds in spent]
        means = {group: mean(spent or everything) for group, spent in self.spent.items()}
        return f"about {duration(sum(left * means[group] for group, left in self.left.items()))} left"

    def say(self, text):
        width = len(str(self.total))
        print(f"[{self.done:{width}}/{self.total}] {text}", file=self.out, flush=True)


# How the groups of calibrations begin.
CALIBRATING = "calibrating "


def mean(values):
    return sum(values) / len(values)


def duration(seconds):
    """1.2 s, 3 min 20 s, 2 h 5 min."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, seconds = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {seconds} s"
    return f"{minutes // 60} h {minutes % 60} min"
