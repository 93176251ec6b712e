"""How much a visitor may send. The page says so beforehand, the server refuses what is more."""

MOST_IMAGES = 1000
"""In a data set."""

MOST_MEGABYTES = 500
"""In a data set, all its files together."""

MOST_MEGABYTES_A_FILE = 200
