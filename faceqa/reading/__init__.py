"""Anything that holds pictures -> named RGB arrays."""
