"""The report: what the warehouse answers, drawn on one page that needs nothing but itself."""
