"""Looking at label caches, and comparing tools: the programs of stages/inspect.py.

program is the command line, look and diff its two parts; choice picks images, stats says what a cache holds, page
writes one HTML file. For the server's page too: sources says where labels can be had from, listing filters and orders.
"""
