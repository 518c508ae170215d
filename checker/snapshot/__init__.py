"""Answers to a file and back: what a run received, so that it can be judged later or elsewhere.

    format      what the file holds, and its JSON (docs/snapshot.md tells it to others)
    recording   stands for the sources of a run and writes down what they say
    archive     reads a zip that anybody may have made
    replay      the sources of a run that ask the file

Nothing is imported here.
"""
