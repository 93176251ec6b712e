"""Measures and a policy -> the verdict, with its reasons. No model, no file."""
