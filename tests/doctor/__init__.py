"""`dimo-etl doctor`, check by check."""
