"""What a reader sees, and what the next run makes of it, when a writer dies."""
