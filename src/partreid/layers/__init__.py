"""Layers that belong to a paper rather than to a backbone; nothing here knows a file or a label."""
