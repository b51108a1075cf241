"""The lake: files, raw units, the rules of a commit, and the day files."""
