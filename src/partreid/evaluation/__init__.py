"""From embeddings to numbers: distances, protocols, ranking, metrics, results. Nothing here knows a method.

distances   how far two images are                    (a dict of functions)
protocols   who is ranked against whom, what is right (a dict of rules)
ranking     exact ranks of all right answers, in bounded memory
metrics     average precision, inverse negative penalty, CMC, chance
results     one protocol evaluated, and the shape of the files that are written
"""
