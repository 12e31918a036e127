"""Losses: one idea per file, pure functions of tensors."""
