"""Part-aligned person re-identification as reproducible pipelines."""

import os

# Before torch loads OpenMP: let waiting threads sleep. By default they spin, and beside another busy process on the
# same cores a network then waits for time slices: seven times slower on two cores with one of them busy.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
