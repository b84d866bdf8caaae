"""Are files complete or absent, and excerpts always the same?"""

import os
from unittest import mock

from harness import files, setups, texts
from harness.failure import Failure
from harness.setups import SETUPS
from harness.texts import Texts
from tests.workplace import Workplace, write


class Files(Workplace):
    def test_a_file_is_written_whole_or_not_at_all(self):
        path = self.folder / "new" / "file"
        files.write(path, "old")
        self.assertEqual(path.stat().st_mode & 0o777, 0o644)
        with mock.patch.object(os, "replace", side_effect=OSError("disk full")):
            with self.assertRaises(OSError):
                files.write(path, "new")
        self.assertEqual(path.read_text(), "old")
        self.assertEqual(list(path.parent.iterdir()), [path])
        files.write(path, b"new")
        self.assertEqual(path.read_text(), "new")

    def test_digests_tell_contents_and_names(self):
        one, other = self.folder / "one", self.folder / "other"
        for folder in (one, other):
            write(folder / "a", "text")
        self.assertEqual(files.digest(one), files.digest(other))
        write(other / "a", "text, more of it")
        self.assertNotEqual(files.digest(one), files.digest(other))
        write(other / "a", "text")
        (other / "a").rename(other / "b")
        self.assertNotEqual(files.digest(one), files.digest(other))


class Excerpts(Workplace):
    def setUp(self):
        super().setUp()
        self.texts = Texts(self.folder / "data", self.folder / "cache")

    def test_a_missing_set_is_named(self):
        (self.folder / "data" / "stsb" / "dev.tsv").unlink()
        with self.assertRaisesRegex(Failure, "stsb/dev.tsv: no such file. It belongs to STS-B: studies/README.md"):
            SETUPS["stsb"].choosing.arguments(self.texts)

    def test_calibration_texts_are_what_they_say(self):
        sentences = self.texts.lines("stsb/train.tsv", header=True)[1]
        pairs = texts.sentence_pairs(self.texts)
        self.assertEqual(pairs, texts.sentence_pairs(self.texts))
        lines = pairs.read_text().splitlines()
        self.assertEqual(len(lines), 20)
        self.assertEqual("\t".join(lines[2:4]), sentences[4].rpartition("\t")[0])
        reviews = texts.review_sentences(self.texts).read_text().splitlines()
        self.assertTrue(reviews and all(len(line.split()) >= 8 for line in reviews))
        self.assertLess(len(reviews), 60)
        judged = texts.acceptability_sentences(self.texts).read_text().splitlines()
        self.assertEqual(len(judged), 5000)

    def test_lines_of_a_table(self):
        whole = self.texts.table("stsb/dev.tsv", header=True)
        self.assertEqual(whole, self.folder / "data" / "stsb" / "dev.tsv")
        chosen = self.texts.table("cola/in_domain_train.tsv", 5000)
        self.assertEqual(len(chosen.read_text().splitlines()), 40)
        with self.assertRaisesRegex(Failure, "has only 30 lines: 5000 are passed over"):
            self.texts.table("cola/in_domain_dev.tsv", 5000)
        # Other line breaks than line feeds belong to the text.
        write(self.folder / "data" / "cola" / "in_domain_dev.tsv", "a\t1\t\tone\x0btwo\u2028three\n")
        self.assertEqual(len(self.texts.lines("cola/in_domain_dev.tsv")[1]), 1)

    def test_quick_takes_the_beginning(self):
        few = Texts(self.folder / "data", self.folder / "cache", quick=True)
        some = self.texts.articles("wikitext2/valid.txt", first=5).read_text()
        self.assertEqual(some.count(" = "), 2 * 5)
        with mock.patch.object(texts, "QUICK_ARTICLES", 3):
            self.assertEqual(few.articles("wikitext2/valid.txt", first=5), few.articles("wikitext2/valid.txt"))
            articles = few.articles("wikitext2/valid.txt").read_text()
        self.assertEqual(articles.count(" = "), 2 * 3)
        self.assertTrue((self.folder / "data" / "wikitext2" / "valid.txt").read_text().startswith(articles))
        lines = few.table("cola/in_domain_train.tsv").read_text().splitlines()
        self.assertEqual(len(lines), texts.QUICK_LINES)
        head = few.table("sst2/dev.tsv", header=True).read_text().splitlines()[0]
        self.assertEqual(head, "sentence\tlabel")

    def test_choosing_and_reporting_never_share_a_file_or_a_part(self):
        for setup in SETUPS.values():
            for quick in (False, True):
                found = Texts(self.folder / "data", self.folder / "cache", quick)
                choosing, reporting = (split.arguments(found) for split in (setup.choosing, setup.reporting))
                self.assertNotEqual(data_of(choosing), data_of(reporting), setup.name)

    def test_movie_snippets_leave_out_all_of_sst2(self):
        arguments = setups.movie_snippets(self.texts)
        excluded = [path.name for name, path in zip(arguments, arguments[1:]) if name == "--exclude"]
        self.assertEqual(excluded, ["train.tsv", "dev.tsv", "test.tsv"])


def data_of(arguments):
    """The files tested on, and which part of them."""
    return [value for name, value in zip(arguments, arguments[1:]) if name in ("--data", "--part", "--task")]
