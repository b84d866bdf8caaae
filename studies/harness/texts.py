"""The public data sets, and what is taken from them: parts of their files, and
texts to calibrate on. The same files give the same excerpts, byte for byte.

Lines end at line feeds and nothing else: some texts hold other line breaks."""

from harness import files
from harness.failure import Failure

# The set that each folder of the data holds.
SETS = {
    "sst2": "SST-2",
    "stsb": "STS-B",
    "cola": "CoLA",
    "wikitext2": "WikiText-2",
}

# Lines of a set, and articles, that --quick takes; and lines to calibrate on, since
# a map needs twice as many 0-bit tokens as the model is wide.
QUICK_LINES = 128
QUICK_ARTICLES = 4
QUICK_CALIBRATION_LINES = 512


class Texts:
    """Files below a data folder, and excerpts of them below the cache."""

    def __init__(self, folder, cache, quick=False):
        self.folder = folder
        self.cache = cache / "texts"
        self.quick = quick

    def file(self, name):
        """A file of the data folder, as it is."""
        path = self.folder / name
        if not path.is_file():
            raise Failure(
                f"{path}: no such file. It belongs to {SETS[name.split('/')[0]]}: studies/README.md "
                "says where that comes from; --data FOLDER or DTATRANS_DATA says where it lies"
            )
        return path

    def lines(self, name, first=0, last=None, step=1, header=False, quick=QUICK_LINES):
        """The header of a file, if it has one, and each so many of its lines
        first..last; with --quick only so many of those."""
        lines = self.read(name)
        head, lines = (lines[:1], lines[1:]) if header else ([], lines)
        taken = lines[first:last:step]
        if not taken:
            raise Failure(f"{self.folder / name}: has only {len(lines)} lines: {first} are passed over here")
        return head, taken[:quick] if self.quick else taken

    def table(self, name, first=0, last=None, header=False):
        """A file with those lines."""
        if not self.quick and first == 0 and last is None:
            return self.file(name)
        return self.rows(name, header, first=first, last=last)

    def rows(self, name, header=False, **which):
        """A file with some of the lines: `which` as in `lines`."""
        head, lines = self.lines(name, header=header, **which)
        return self.excerpt(name, head + lines)

    def articles(self, name, first=None):
        """A file of WikiText, or its first articles; with --quick only a few."""
        first = min(first or QUICK_ARTICLES, QUICK_ARTICLES) if self.quick else first
        if first is None:
            return self.file(name)
        lines = self.read(name)
        titles = [at for at, line in enumerate(lines) if is_title(lines, at)]
        end = titles[first] if len(titles) > first else len(lines)
        return self.excerpt(name, lines[:end])

    def excerpt(self, name, lines):
        """A file of these lines, named after what it is from."""
        text = "".join(f"{line}\n" for line in lines)
        path = self.cache / f"{name.replace('/', '-')}.{files.digest_of(text)[:16]}"
        if not path.exists():
            files.write(path, text)
        return path

    def read(self, name):
        text = self.file(name).read_bytes().decode("utf-8", errors="strict")
        lines = text.replace("\r\n", "\n").split("\n")
        return lines[:-1] if lines[-1] == "" else lines


def is_title(lines, at):
    """Whether an article begins there: ` = Title = ` between blank lines, as
    crates/tasks/src/data/wikitext.rs reads it."""
    line = lines[at].strip()
    alone = (at == 0 or not lines[at - 1].strip()) and not "".join(lines[at + 1 : at + 2]).strip()
    return alone and line.startswith("= ") and line.endswith(" =") and not line.startswith("= =")


def sentence_pairs(texts):
    """Both sentences of every fourth pair of STS-B's training set, each once. The
    set begins with short captions and comes to news later: maps from its beginning
    alone fit the development set badly."""
    _, lines = texts.lines("stsb/train.tsv", step=4, header=True, quick=QUICK_CALIBRATION_LINES)
    sentences = [sentence for line in lines for sentence in line.split("\t")[:2]]
    return texts.excerpt("stsb/train.tsv", dict.fromkeys(sentences))


def review_sentences(texts):
    """The first 3,000 sentences of SST-2's training set with at least 8 words:
    the set has many fragments, which leave few tokens to find a map from."""
    _, lines = texts.lines("sst2/train.tsv", header=True, quick=QUICK_CALIBRATION_LINES)
    sentences = [line.split("\t")[0].strip() for line in lines]
    long = [sentence for sentence in sentences if len(sentence.split()) >= 8]
    return texts.excerpt("sst2/train.tsv", long[:3000])


def acceptability_sentences(texts):
    """The sentences of the first 5,000 lines of CoLA's training set."""
    _, lines = texts.lines("cola/in_domain_train.tsv", last=5000, quick=QUICK_CALIBRATION_LINES)
    return texts.excerpt("cola/in_domain_train.tsv", [line.split("\t")[3] for line in lines])
