"""The demo's tabs: widgets, wording and HTML. What they show comes from faceqa."""

import os

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # before Gradio is imported: it asks once
