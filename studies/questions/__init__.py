"""The studies, one a file: each has a SUMMARY of one line and `run(study)`, which
says what it found."""
