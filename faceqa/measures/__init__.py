"""One file a measure, and the registry with one row a measure."""
