"""Rendered people: bodies, clothes, scenes, cameras, a small rasteriser, and the truth about every pixel."""
