"""Rows of results: the columns that all tables share, as CSV and for reading."""

import csv
import io

# What is measured of every plan: points, per cent for what is saved, and deviations
# as docs/tasks.md defines them.
MEASURED = [
    "n",
    "tokens_mean",
    "metric",
    "f32",
    "value",
    "loss",
    "difference",
    "low",
    "high",
    "resolved",
    "deviation",
    "mean_cosine_distance",
    "attention_saved",
    "encoder_saved",
]

# What a table for reading leaves out.
FOR_CSV_ONLY = {"resolved", "mean_cosine_distance", "tokens_mean", "split"}

UNITS = (
    "f32, value, loss, difference, low, high: points; difference: value - f32, low to high its 95 % "
    "paired bootstrap interval; loss: max(0, f32 - value); resolved: the interval reaches at most "
    "1.5 points from the difference; deviation, mean_cosine_distance: from f32, see docs/tasks.md; "
    "saved: per cent of the dense 8-bit model's element-cycles"
)


def measured(measurement, metric=None):
    """The shared columns, rounded to what is worth reading."""
    found, saved = measurement.found, measurement.saved
    scores = {
        key: round(value, 3) if isinstance(value, float) else value
        for key, value in measurement.metric(metric).items()
    }
    distance = measurement.mean_cosine_distance
    return scores | {
        "n": found["n"],
        "tokens_mean": round(found["tokens_mean"], 1),
        "deviation": significant(measurement.deviation),
        "mean_cosine_distance": None if distance is None else significant(distance),
        "attention_saved": round(saved["attention"], 2),
        "encoder_saved": round(saved["encoder"], 2),
    }


def significant(value, digits=4):
    """A number with so many digits that count."""
    return float(f"{value:.{digits}g}")


def to_csv(columns, rows, notes=()):
    """CSV with a header, after notes in lines that begin with `# `."""
    out = io.StringIO()
    for note in notes:
        out.write(f"# {note}\n")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow(["" if row.get(column) is None else row[column] for column in columns])
    return out.getvalue()


def to_text(columns, rows):
    """Aligned columns: texts to the left, numbers to the right."""
    columns = [column for column in columns if column not in FOR_CSV_ONLY]
    cells = [[shown(row.get(column), column) for column in columns] for row in rows]
    widths = [max(map(len, column)) for column in zip(columns, *cells)]
    numbers = [
        all(isinstance(row.get(column), (int, float, type(None))) for row in rows) for column in columns
    ]
    aligned = []
    for line in [columns, *cells]:
        parts = zip(line, widths, numbers)
        text = "  ".join(cell.rjust(width) if number else cell.ljust(width) for cell, width, number in parts)
        aligned.append(text.rstrip())
    return "\n".join(aligned) + "\n"


def shown(value, column):
    if value is None:
        return ""
    if isinstance(value, float):
        # Without a sign where it rounds to 0.
        return f"{value:.3g}" if column == "deviation" else f"{round(value, 2) or 0.0:.2f}"
    return str(value)
