"""The tasks of the studies: which model, which texts to choose on and which to
report on, and what plans are calibrated on.

Every plan is chosen and every setting tried on the choosing split; the reporting
split is looked at once a method is fixed (studies `pareto`, `long`, `headline`).
"""

from collections import namedtuple

from harness import texts as calibration

# Part of a data set: what it is, for people, and the arguments of `dtatrans eval`
# (paths among them are Path objects) that `arguments(texts)` gives.
Split = namedtuple("Split", "about arguments")

# `calibration(texts)` gives the arguments of `dtatrans calibrate` that name texts;
# `calibrated_on` says which.
Setup = namedtuple("Setup", "name title metric model choosing reporting calibration calibrated_on")


def movie_snippets(texts):
    """Movie-review snippets that SST-2 does not have; with --quick, which stays
    within the data folder, sentences of SST-2's dev.tsv."""
    if texts.quick:
        return ["--task", "sst2", "--data", texts.table("sst2/dev.tsv", header=True)]
    sets = [texts.file(f"sst2/{part}.tsv") for part in ("train", "dev", "test")]
    return ["--task", "movie-snippets", *(part for path in sets for part in ("--exclude", path))]


def probe(part):
    """The built-in snippets; with --quick sentences of SST-2 in their place."""

    def arguments(texts):
        if not texts.quick:
            return ["--task", "probe", "--part", part]
        name = {"choosing": "sst2/dev.tsv", "reporting": "sst2/test.tsv"}[part]
        train, test = (texts.table(name, header=True) for name in ("sst2/train.tsv", name))
        return ["--task", "probe", "--train", train, "--data", test]

    return arguments


def long_text(part, first=None):
    """Half of all articles, or of so many."""

    def arguments(texts):
        articles = texts.articles("wikitext2/valid.txt", first)
        return ["--task", "long-text", "--data", articles, "--part", part]

    return arguments


def both_cola_sets(texts):
    names = ("cola/in_domain_dev.tsv", "cola/out_of_domain_dev.tsv")
    return ["--task", "cola", *(part for name in names for part in ("--data", texts.table(name)))]


SETUPS = {
    setup.name: setup
    for setup in [
        Setup(
            name="stsb",
            title="STS-B",
            metric="Spearman",
            model="minilm",
            choosing=Split(
                "STS-B dev",
                lambda texts: ["--task", "stsb", "--data", texts.table("stsb/dev.tsv", header=True)],
            ),
            reporting=Split(
                "STS-B test",
                lambda texts: ["--task", "stsb", "--data", texts.table("stsb/test.tsv", header=True)],
            ),
            calibration=lambda texts: ["--file", calibration.sentence_pairs(texts)],
            calibrated_on="both sentences of every fourth pair of STS-B train",
        ),
        Setup(
            name="sst2",
            title="SST-2",
            metric="accuracy",
            model="minilm-sst2",
            choosing=Split("movie-review snippets that are in none of SST-2's files", movie_snippets),
            reporting=Split(
                "SST-2's 872 labelled test sentences (GLUE's dev set)",
                lambda texts: ["--task", "sst2", "--data", texts.table("sst2/test.tsv", header=True)],
            ),
            calibration=lambda texts: ["--file", calibration.review_sentences(texts)],
            calibrated_on="the first 3,000 sentences of SST-2 train with at least 8 words",
        ),
        Setup(
            name="cola",
            title="CoLA",
            metric="Matthews",
            model="minilm-cola",
            choosing=Split(
                "CoLA train from line 5,000 on, which the model was trained on",
                lambda texts: ["--task", "cola", "--data", texts.table("cola/in_domain_train.tsv", 5000)],
            ),
            reporting=Split("both CoLA dev sets", both_cola_sets),
            calibration=lambda texts: ["--file", calibration.acceptability_sentences(texts)],
            calibrated_on="the sentences of the first 5,000 lines of CoLA train",
        ),
        Setup(
            name="long-text",
            title="long texts",
            metric="MRR",
            model="minilm",
            choosing=Split("WikiText-2 valid, articles 0, 2, 4, ...", long_text("choosing")),
            reporting=Split("WikiText-2 valid, articles 1, 3, 5, ...", long_text("reporting")),
            calibration=long_text("choosing"),
            calibrated_on="windows of 384 tokens of WikiText-2 valid, articles 0, 2, 4, ...",
        ),
        Setup(
            name="probe",
            title="probe",
            metric="accuracy",
            model="minilm",
            choosing=Split("movie-review snippets outside the probe's sample", probe("choosing")),
            reporting=Split("2,000 movie-review snippets of the probe's sample", probe("reporting")),
            calibration=probe("choosing"),
            calibrated_on="movie-review snippets outside the probe's sample",
        ),
    ]
}
