"""A photo -> its faces: where they are, how they are turned, what of them is seen."""
