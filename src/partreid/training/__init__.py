"""From image table and label cache to trained weights."""
