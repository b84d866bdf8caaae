"""Are charts well-formed, and is every point in them?"""

import unittest
import xml.etree.ElementTree as ElementTree

from harness import charts
from harness.charts import Panel, Point, Series

SVG = "{http://www.w3.org/2000/svg}"


def parsed(*arguments, **options):
    return ElementTree.fromstring(charts.render(*arguments, **options).encode())


def markers(root):
    """What the markers of points say; those of legends say nothing."""
    found = root.iter()
    titles = [mark.find(f"{SVG}title") for mark in found if mark.get("class") == "marker"]
    return [title.text for title in titles if title is not None]


def texts(root):
    return [text.text for text in root.iter(f"{SVG}text")]


class Charts(unittest.TestCase):
    def test_all_points_and_their_intervals_are_drawn(self):
        series = [
            Series(f"s{index}", [Point(x, -x * index, -x * index - 1, -x * index + 1) for x in range(5)])
            for index in range(12)
        ]
        root = parsed("Title <&>", [Panel("a", "x", "y", series), Panel("b", "x", "y", series[:2])])
        self.assertEqual(len(markers(root)), 12 * 5 + 2 * 5)
        self.assertEqual(root.find(f"{SVG}title").text, "Title <&>")
        lines = len(list(root.iter(f"{SVG}polyline")))
        self.assertEqual(lines, 12 + 2)
        # One legend for both panels, each name once.
        self.assertEqual([text for text in texts(root) if text in ("s0", "s11")], ["s0", "s11"])
        intervals = [path for path in root.iter(f"{SVG}path") if path.get("class") == "interval"]
        self.assertEqual(len(intervals), 12 * 5 + 2 * 5)

    def test_points_lie_within_their_panel(self):
        for scale, values in [("linear", [-40.0, 3.0, 90.0]), ("log", [1e-5, 0.3, 7.0])]:
            axis = charts.Axis(values, 200, 30, scale)
            places = [axis.at(value) for value in values]
            self.assertEqual(places, sorted(places, reverse=True))
            self.assertTrue(all(30 <= place <= 200 for place in places), places)
            self.assertTrue(3 <= len(axis.ticks) <= 8, axis.ticks)
            labels = [axis.label(tick) for tick in axis.ticks]
            self.assertEqual(len(set(labels)), len(labels))
            for tick, label in zip(axis.ticks, labels):
                self.assertAlmostEqual(float(label), tick, delta=abs(tick) / 100 + 1e-12)

    def test_equal_and_missing_values_have_an_axis(self):
        for values in ([], [5.0], [0.0, 0.0], [-3.0]):
            axis = charts.Axis(values, 200, 30, "linear")
            self.assertTrue(axis.low < axis.high)
            self.assertTrue(axis.ticks)
        self.assertEqual(charts.Axis([0.0], 200, 30, "linear").label(-0.0), "0.0")
        root = parsed("nothing", [Panel("empty", "x", "y")])
        self.assertEqual(markers(root), [])

    def test_a_log_axis_leaves_out_what_has_no_place_there(self):
        series = [Series("s", [Point(1, 0.0), Point(2, 0.1), Point(3, 10.0)])]
        root = parsed("t", [Panel("p", "x", "y", series, scale_y="log")])
        self.assertEqual(len(markers(root)), 2)

    def test_categories_are_named_and_kept_apart(self):
        series = [Series(name, [Point("one", 1.0), Point("a very long name", 2.0)], line=False) for name in "ab"]
        names = ["one", "a very long name", "three", "four", "five"]
        level = (0.5, "to compare with")
        panel = Panel("p", "", "y", [*series, Series("none", [])], categories=names, level=level)
        root = parsed("t", [panel], own_legends=True)
        self.assertLessEqual({*names, "to compare with"}, set(texts(root)))
        self.assertNotIn("none", texts(root))
        self.assertEqual(len(markers(root)), 4)
        self.assertEqual(list(root.iter(f"{SVG}polyline")), [])
        circles = [mark for mark in root.iter(f"{SVG}circle") if mark.find(f"{SVG}title") is not None]
        squares = [mark for mark in root.iter(f"{SVG}path") if mark.find(f"{SVG}title") is not None]
        self.assertEqual((len(circles), len(squares)), (2, 2))
        self.assertNotEqual(circles[0].get("cx"), squares[0].get("d").split()[0][1:])

    def test_notes_are_wrapped_within_the_chart(self):
        root = parsed("t", [Panel("p", "x", "y")], notes=["word " * 60])
        small = [text for text in root.iter(f"{SVG}text") if text.get("font-size") == "10.5"]
        self.assertGreater(len(small), 3)
        self.assertEqual(sum(len(text.text.split()) for text in small), 60)
        self.assertLess(max(float(text.get("y")) for text in small), float(root.get("height")))

    def test_a_table_gives_its_columns(self):
        rows = [{"x": 1, "y": -2.0, "low": -3.0, "high": -1.0, "name": "n"}, {"x": 2, "y": None}]
        series = charts.series("s", rows, "x", "y", ends=True, about="name")
        self.assertEqual(series.points, [Point(1, -2.0, -3.0, -1.0, "n")])
