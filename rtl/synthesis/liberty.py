"""What a Liberty file says of energy: capacitances, leakage, internal power, and the
transitions that internal power depends on. Units as the file states them, turned into
pJ, fF, ns, nW and V."""

import re
from bisect import bisect_right

TOKEN = re.compile(r'/\*.*?\*/|\\\n|"(?:[^"\\]|\\.)*"|[A-Za-z0-9_.+\-!*&|\[\]]+|[(){}:;,]', re.DOTALL)
PREFIX = {"f": 1e-15, "p": 1e-12, "n": 1e-9, "u": 1e-6, "m": 1e-3, "": 1.0}


class Group:
    """`kind (arguments) { values; groups }`."""

    def __init__(self, kind, arguments):
        self.kind, self.arguments, self.values, self.groups = kind, arguments, {}, []

    def all(self, kind):
        return [group for group in self.groups if group.kind == kind]


class Library:
    def __init__(self, path):
        tokens = [t for t in TOKEN.findall(path.read_text()) if not t.startswith(("/*", "\\"))]
        self.root = parse(tokens)
        values = self.root.values
        self.voltage_v = float(values["nom_voltage"]) * unit(values["voltage_unit"], "V")
        time_s = unit(values["time_unit"], "s")
        size, prefix = values["capacitive_load_unit"]
        self.cap_ff = float(size) * unit("1" + prefix.lower(), "f") / 1e-15
        # Internal energy is in units of capacitance times voltage squared.
        self.energy_pj = self.cap_ff * 1e-3 * unit(values["voltage_unit"], "V") ** 2
        self.leakage_nw = unit(values["leakage_power_unit"], "W") / 1e-9
        self.time_ns = time_s / 1e-9
        self.cells = {group.arguments[0]: Cell(group) for group in self.root.all("cell")}


class Cell:
    def __init__(self, group):
        self.leakage = float(group.values.get("cell_leakage_power", 0))
        self.leakage_states = [(g.values.get("when"), float(g.values["value"])) for g in group.all("leakage_power")]
        self.pins = {pin.arguments[0]: pin for pin in group.all("pin")}
        self.registers = bool(group.all("ff"))
        self.gate = "clock_gating_integrated_cell" in group.values

    def output(self, pin):
        return self.pins[pin].values.get("direction") == "output"

    def capacitance(self, pin):
        return float(self.pins[pin].values.get("capacitance", 0))


def parse(tokens):
    """The library group of a token list."""
    top = Group("", [])
    stack, at = [top], 0
    while at < len(tokens):
        token = tokens[at]
        if token == "}":
            stack.pop()
            at += 1
        elif token == ";":
            at += 1
        elif tokens[at + 1] == ":":
            stack[-1].values[token] = tokens[at + 2].strip('"')
            at += 3
        else:
            end = tokens.index(")", at)
            arguments = [t.strip('"') for t in tokens[at + 2 : end] if t != ","]
            at = end + 1
            if at < len(tokens) and tokens[at] == "{":
                group = Group(token, arguments)
                stack[-1].groups.append(group)
                stack.append(group)
                at += 1
            else:
                stack[-1].values[token] = arguments
    return top.groups[0]


def unit(text, base):
    """`1ns` in seconds, for the base `s`."""
    number, prefix = re.fullmatch(rf"([\d.]+)([fpnum]?){base}", text).groups()
    return float(number) * PREFIX[prefix]


def numbers(text):
    return [float(number) for number in re.split(r"[,\s\\]+", text) if number]


def look_up(table, slew, load):
    """A table's value, linear between its points and constant beyond them."""
    rows = [numbers(row) for row in table.values["values"]]
    if "index_1" not in table.values:
        return rows[0][0]
    slews = numbers(table.values["index_1"][0])
    if "index_2" not in table.values:
        return between(slews, rows[0], slew)
    loads = numbers(table.values["index_2"][0])
    return between(slews, [between(loads, row, load) for row in rows], slew)


def between(xs, ys, x):
    x = min(max(x, xs[0]), xs[-1])
    right = min(max(bisect_right(xs, x), 1), len(xs) - 1)
    part = (x - xs[right - 1]) / (xs[right] - xs[right - 1])
    return ys[right - 1] + part * (ys[right] - ys[right - 1])


def probability(when, high):
    """How often a condition holds, if pins are independent: `high` says how often each
    is 1. Conditions of this library are products of literals."""
    result = 1.0
    for literal in re.findall(r"!?\w+", when or ""):
        name = literal.lstrip("!")
        if name in high:
            result *= 1 - high[name] if literal.startswith("!") else high[name]
    return result
