"""Scoring predictions on labelled data sets, as the benchmarks do, and showing them."""
