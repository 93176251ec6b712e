"""What the command tells the shell at its end."""

ALL_ASSESSED = 0

SOME_FAILED = 1
"""Some images could not be assessed; all others were."""

USAGE = 2
"""The command cannot be carried out."""

INTERRUPTED = 130
"""By Ctrl-C, as shells number it: 128 and the signal."""

TERMINATED = 143
"""By SIGTERM."""
