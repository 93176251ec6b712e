"""How much a visitor may send, and how long it is kept. The page says both, and the server keeps to both."""

MOST_IMAGES = 1000
"""In a data set."""

MOST_MEGABYTES = 500
"""In a data set, all its files together."""

MOST_MEGABYTES_A_FILE = 200

MOST_MINUTES = 60
"""So many minutes after a visitor's last use of the page nothing that he sent is left, nor what came of it.
For so long Gradio keeps what the server knows of a page that was closed."""

SECONDS_KEPT = 1800
"""How long the server knows what an open page shows."""

LOOKED_THROUGH_EVERY = 600
"""Seconds between two looks at the uploads, in which the old ones are deleted."""

UPLOADS_KEPT = 1800
"""Seconds after which an upload is old."""

MOST_STREAM_MINUTES = 10
"""After which a camera's stream is ended, so that a forgotten page does not hold its place."""

FRAMES_A_SECOND = 2
"""Of a video in a data set."""

MOST_VISITS = 200
"""Pages whose results are kept at the same time; beyond that the longest unused one is forgotten."""

MOST_CAMERAS = 4
"""Cameras that are judged at the same time; they share the processor."""

MOST_KILOBYTES_A_FRAME = 2000
"""Of a camera."""
