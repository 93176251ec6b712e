"""The version of faceqa, also where it runs without being installed, as on a Hugging Face Space."""

__version__ = "0.1.0"
