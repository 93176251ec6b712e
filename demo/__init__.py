"""The demo's tabs: widgets, wording and HTML. What they show comes from faceqa."""
