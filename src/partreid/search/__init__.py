"""Search beyond a benchmark: photos against a gallery, ranked exactly or through an index, with a threshold."""
