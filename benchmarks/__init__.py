"""`python -m benchmarks [NAME …]`: how fast and how small the tool is, as ratios measured in one run.

Nothing here decides what is good: each line prints what was measured, what is allowed, and "ok" or "over". Every
measurement runs in processes of its own; this one stays small, because on Linux the peak memory that is told of a
child is at least that of its parent when it was started.
"""
