"""The report of one run: what it reached, what it looked at, and how to do it again.

inputs reads the results, ranking chooses queries, attention what else is looked at, gather takes it from data set and
network; sheets draws it, figures what only one method has, parts holds it against the truth; facts and pipeline say how
it came about; page puts all into one self-contained HTML file (report.html is its template), card into Markdown.
leaderboard_page and leaderboard_pictures are the same for many runs.
"""
