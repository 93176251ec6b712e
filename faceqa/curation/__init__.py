"""A data set -> which faces to keep: a table, the files sorted, a summary and a report page."""
