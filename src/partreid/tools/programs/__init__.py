"""Programs that run the papers' own tools, each in an environment of its own that uv makes from the script's header.

They are started by `uv run --script` and never imported by partreid: their tools want other packages than partreid and
have other licences. Modules without a header are shared by them: they need numpy, pyarrow and OpenCV only, import
nothing of partreid (it is not in those environments), and are tested without the tools.
"""
