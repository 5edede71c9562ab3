"""What the user wants: a scenario file in; the calls that are planned, and the guard that refuses, out.

Nothing is imported here: whoever asks the guard need not load what reads files.
"""
