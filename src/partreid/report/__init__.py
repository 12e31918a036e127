"""The report of one run: what it reached, what it looked at, and how to do it again.

inputs reads the results, ranking chooses queries, pictures and sheets draw images, plots draws curves, pipeline draws
the stages, collect and page put them into one self-contained HTML file (report.html and report.css are its template).
"""
