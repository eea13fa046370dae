"""The report of a replay: one JSON file and one page."""
