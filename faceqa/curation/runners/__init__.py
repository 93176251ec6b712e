"""Who works through the images of a run."""
