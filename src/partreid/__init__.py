"""Part-aligned person re-identification as reproducible pipelines."""
