"""Marks on paper that inspection, quality and report share: pictures, plots, contact sheets, drawn labels."""
