"""Charts as SVG: panels with axes, ticks, lines, markers and intervals.

Each file brings its own light background and dark text, so that it reads the same
on a light and on a dark page. Colours are those of Okabe and Ito (*Color Universal
Design*, 2008), yellow darkened, two added; markers differ in shape as well, so that nothing is
told by colour alone."""

import math
from dataclasses import dataclass, field
from xml.sax.saxutils import escape, quoteattr

COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9"]
COLOURS += ["#e69f00", "#444444", "#9a8700", "#7f5539", "#882255"]
SHAPES = ["circle", "square", "triangle", "diamond", "cross", "down", "plus"]

BACKGROUND, INK, FAINT, GRID = "#fbfaf7", "#26292e", "#6b7078", "#e3e1da"

WIDTH, HEIGHT = 400, 270  # of a panel
LEFT, RIGHT, TOP, BOTTOM = 66, 14, 34, 48  # around its plot
HEAD, LINE = 44, 16  # above the panels; a line of small text

FONT = "system-ui, -apple-system, 'Segoe UI', 'Liberation Sans', Helvetica, Arial, sans-serif"


@dataclass
class Point:
    """x is a number, or one of the panel's categories; low and high are the ends
    of an interval of y."""

    x: object
    y: float
    low: float | None = None
    high: float | None = None
    about: str = ""


@dataclass
class Series:
    name: str
    points: list
    line: bool = True


def series(name, rows, x, y, ends=False, line=True, about=None):
    """A series of a table's rows: y against x; with `ends` the columns `low` and
    `high` are those of y's interval; `about` is a column for the marker's text."""
    columns = ("low", "high") if ends else ()
    points = [
        Point(row[x], row[y], *(row[column] for column in columns), about=str(row[about]) if about else "")
        for row in rows
        if row[y] is not None
    ]
    return Series(name, points, line)


@dataclass
class Panel:
    """`scale_x` and `scale_y` are "linear" or "log"; `categories` makes x a list of
    names; `ticks_x` are the numbers to mark there; `apart` puts series that share
    an x side by side by so many pixels, so that their intervals can be told;
    `level` is a value of y to compare with, and its name."""

    title: str
    x: str
    y: str
    series: list = field(default_factory=list)
    scale_x: str = "linear"
    scale_y: str = "linear"
    categories: list | None = None
    ticks_x: list | None = None
    apart: float = 0.0
    level: tuple | None = None


def render(title, panels, columns=2, notes=(), own_legends=False):
    """The text of an SVG file. A series has the same colour and marker in all
    panels and one legend for all, or with `own_legends` one in each."""
    names = list(dict.fromkeys(name for panel in panels for name in names_of(panel)))
    columns = max(1, min(columns, len(panels)))
    width = columns * WIDTH + 20
    styles = {name: style(index) for index, name in enumerate(names)}
    tops, y = [], HEAD
    for first in range(0, len(panels), columns):
        row = panels[first : first + columns]
        tops += [y] * len(row)
        y += HEIGHT + max(map(height_of_labels, row))
        if own_legends:
            y += max(legend_height(names_of(panel), WIDTH - 20) for panel in row)
    body = []
    for index, (panel, top) in enumerate(zip(panels, tops)):
        own = {name: style(place) for place, name in enumerate(names_of(panel))}
        left = 10 + index % columns * WIDTH
        body.append(f'<g transform="translate({left} {top})">')
        body += draw(panel, own if own_legends else styles)
        if own_legends:
            below = HEIGHT + height_of_labels(panel) + 8
            body += legend(own, 10, below, WIDTH - 20)
        body.append("</g>")
    if not own_legends and len(names) > 1:
        body += legend(styles, 20, y + 10, width - 40)
        y += legend_height(names, width - 40)
    for note in notes:
        for line in wrapped(note, width - 40, 10.5):
            y += LINE
            body.append(text(20, y, line, size=10.5, fill=FAINT))
    height = y + 14
    return "\n".join(
        [
            '<?xml version="1.0" encoding="UTF-8"?>',
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
            f'height="{height}" role="img" font-family="{FONT}">',
            f"<title>{escape(title)}</title>",
            f'<rect width="{width}" height="{height}" rx="6" fill="{BACKGROUND}"/>',
            text(20, 27, title, size=15, weight="600"),
            *body,
            "</svg>\n",
        ]
    )


def style(index):
    return COLOURS[index % len(COLOURS)], SHAPES[index % len(SHAPES)]


def names_of(panel):
    return [series.name for series in panel.series if series.points]


class Axis:
    """From values to places along a line of pixels."""

    def __init__(self, values, start, end, scale, ticks=None):
        self.scale = scale
        self.start, self.end = start, end
        values = [value for value in values if value is not None and math.isfinite(value)]
        if scale == "log":
            values = [value for value in values if value > 0]
        values = values or [1.0]
        low, high = min(values), max(values)
        if scale == "log":
            low, high = (low / 1.3, high * 1.3)
            self.low, self.high = math.log(low), math.log(high)
        else:
            room = 0.06 * (high - low) or abs(high) or 1.0
            self.low, self.high = low - room, high + room
            # From 0 where that leaves little empty.
            if 0 <= low < 0.4 * high:
                self.low = 0.0
            if 0 >= high > 0.4 * low:
                self.high = 0.0
        self.ticks = ticks or self.find_ticks()

    def find_ticks(self):
        if self.scale == "log":
            low, high = math.exp(self.low), math.exp(self.high)
            decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
            for steps in ((1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 4, 5, 7)):
                ticks = [step * 10.0**decade for decade in decades for step in steps]
                ticks = [tick for tick in ticks if low <= tick <= high]
                if len(ticks) >= 4:
                    break
            return ticks
        span = self.high - self.low
        step = 10.0 ** math.floor(math.log10(span / 8))
        step *= next(factor for factor in (1, 2, 5, 10) if span / (step * factor) <= 8)
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [number * step for number in range(first, last + 1)]

    def label(self, tick):
        """With as many digits as tell it from the others."""
        gaps = [abs(b - a) for a, b in zip(self.ticks, self.ticks[1:])]
        digits = -math.floor(math.log10(min(gaps, default=abs(tick) or 1.0)) + 1e-9)
        if self.scale == "log" or digits > 4:
            return f"{tick:g}"
        return f"{tick or 0.0:.{max(0, digits)}f}"

    def at(self, value):
        value = math.log(value) if self.scale == "log" else value
        share = (value - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)


class Categories:
    """From names to places, each with room on both sides."""

    def __init__(self, names, start, end):
        self.names = names
        self.start, self.step = start, (end - start) / len(names)

    def at(self, name):
        return self.start + (self.names.index(name) + 0.5) * self.step


def draw(panel, styles):
    """A panel with its upper left corner at 0, 0."""
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    points = [point for series in panel.series for point in series.points]
    heights = [value for point in points for value in (point.y, point.low, point.high)]
    heights += [panel.level[0]] if panel.level else []
    y_axis = Axis(heights, bottom, TOP, panel.scale_y)
    parts = [text(LEFT, TOP - 12, panel.title, size=12.5, weight="600")]
    for tick in y_axis.ticks:
        y = y_axis.at(tick)
        strong = INK if tick == 0 and y_axis.low < 0 else GRID
        parts.append(line(LEFT, y, right, y, strong, 0.8))
        parts.append(text(LEFT - 7, y + 4, y_axis.label(tick), anchor="end", size=11))
    if panel.categories:
        x_axis = Categories(panel.categories, LEFT, right)
        for name in panel.categories:
            x = x_axis.at(name)
            parts.append(line(x, bottom, x, bottom + 4, INK))
            if height_of_labels(panel):
                turn = f' transform="rotate(-35 {x:.1f} {bottom + 14:.1f})"'
                parts.append(text(x + 4, bottom + 14, name, anchor="end", size=11, more=turn))
            else:
                parts.append(text(x, bottom + 17, name, anchor="middle", size=11))
    else:
        x_axis = Axis([point.x for point in points], LEFT, right, panel.scale_x, panel.ticks_x)
        for tick in x_axis.ticks:
            x = x_axis.at(tick)
            parts.append(line(x, bottom, x, bottom + 4, INK))
            parts.append(text(x, bottom + 17, x_axis.label(tick), anchor="middle", size=11))
    if panel.level:
        value, name = panel.level
        y = y_axis.at(value)
        parts.append(line(LEFT, y, right, y, FAINT, 1.2, dashes="5 4"))
        parts.append(text(right, y - 5, name, anchor="end", size=10.5, fill=FAINT))
    middle = (TOP + bottom) / 2
    parts += [
        line(LEFT, TOP, LEFT, bottom, INK),
        line(LEFT, bottom, right, bottom, INK),
        text((LEFT + right) / 2, HEIGHT - 12 + height_of_labels(panel), panel.x, anchor="middle", fill=FAINT),
        text(16, middle, panel.y, anchor="middle", fill=FAINT, more=f' transform="rotate(-90 16 {middle})"'),
    ]
    drawn = [series for series in panel.series if series.points]
    for index, series in enumerate(drawn):
        shift = (7 if panel.categories else panel.apart) * (index - (len(drawn) - 1) / 2)
        colour, shape = styles[series.name]
        shown = [point for point in series.points if panel.scale_y != "log" or point.y > 0]
        places = [(x_axis.at(point.x) + shift, y_axis.at(point.y)) for point in shown]
        if series.line and len(places) > 1:
            path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
            parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        for point, (x, y) in zip(shown, places):
            if point.low is not None:
                parts.append(interval(x, y_axis.at(point.low), y_axis.at(point.high), colour))
            about = ", ".join(filter(None, [series.name, point.about, f"{point.x}: {point.y:.4g}"]))
            parts.append(marker(shape, x, y, colour, about))
    return parts


def height_of_labels(panel):
    """How far below the usual place turned category names reach."""
    if not panel.categories:
        return 0
    longest = max(map(len, panel.categories))
    fits = longest * 6.2 < (WIDTH - LEFT - RIGHT) / len(panel.categories)
    return 0 if fits else min(round(longest * 3.6), 90)


def interval(x, low, high, colour):
    path = f"M{x:.1f} {low:.1f}V{high:.1f}M{x - 3:.1f} {low:.1f}h6M{x - 3:.1f} {high:.1f}h6"
    return f'<path class="interval" d="{path}" fill="none" stroke="{colour}" stroke-width="1.2"/>'


def marker(shape, x, y, colour, about=""):
    """A marker, which says what it is when pointed at."""
    paths = {
        "square": f"M{x - 3.6:.1f} {y - 3.6:.1f}h7.2v7.2h-7.2z",
        "triangle": f"M{x:.1f} {y - 4.6:.1f}l4.4 7.8h-8.8z",
        "down": f"M{x:.1f} {y + 4.6:.1f}l4.4 -7.8h-8.8z",
        "diamond": f"M{x:.1f} {y - 4.9:.1f}l4.9 4.9l-4.9 4.9l-4.9 -4.9z",
        "cross": f"M{x - 3.6:.1f} {y - 3.6:.1f}l7.2 7.2m0 -7.2l-7.2 7.2",
        "plus": f"M{x:.1f} {y - 4.6:.1f}v9.2m-4.6 -4.6h9.2",
    }
    title = f"<title>{escape(about)}</title>" if about else ""
    if shape == "circle":
        return f'<circle class="marker" cx="{x:.1f}" cy="{y:.1f}" r="3.9" fill="{colour}">{title}</circle>'
    ink = f'fill="{colour}"'
    if shape in ("cross", "plus"):
        ink = f'fill="none" stroke="{colour}" stroke-width="2.2"'
    return f'<path class="marker" d="{paths[shape]}" {ink}>{title}</path>'


def legend(styles, left, top, width):
    parts = []
    for name, x, y in places_in_legend(list(styles), width):
        colour, shape = styles[name]
        parts.append(line(left + x, top + y + 4, left + x + 18, top + y + 4, colour, 1.5))
        parts.append(marker(shape, left + x + 9, top + y + 4, colour))
        parts.append(text(left + x + 24, top + y + 8, name, size=11.5))
    return parts


def places_in_legend(names, width):
    """Entries from left to right, in as many lines as they need."""
    places, x, y = [], 0, 0
    for name in names:
        wide = 24 + 6.4 * len(name) + 16
        if x and x + wide > width:
            x, y = 0, y + 18
        places.append((name, x, y))
        x += wide
    return places


def legend_height(names, width):
    return places_in_legend(names, width)[-1][2] + 26 if names else 0


def wrapped(words, width, size):
    """Lines of text that fit into a width, by the size of an average letter."""
    room, lines, current = int(width / (0.52 * size)), [], ""
    for word in words.split():
        if current and len(current) + 1 + len(word) > room:
            lines.append(current)
            current = ""
        current = f"{current} {word}".strip()
    return [*lines, current] if current else lines


def line(x1, y1, x2, y2, colour, width=1.0, dashes=None):
    places = f'x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    return f'<line {places} stroke="{colour}" stroke-width="{width}"{dashed}/>'


def text(x, y, words, anchor="start", size=12, weight=None, fill=INK, more=""):
    bold = f" font-weight={quoteattr(weight)}" if weight else ""
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text {place} font-size="{size}" fill="{fill}"{bold}{more}>{escape(words)}</text>'
