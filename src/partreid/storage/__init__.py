"""What lies on disk, whole or not at all: tables, caches, pieces, embeddings, weights files."""
