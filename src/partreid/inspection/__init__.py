"""Looking at label caches, and comparing tools: the programs of stages/inspect.py.

look and diff are the two programs; choice picks images, stats says what a cache holds, sides opens the two that are
compared, difference says how alike they are, sheets and page write PNG contact sheets and one HTML file.
"""
