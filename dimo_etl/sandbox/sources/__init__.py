"""One module for each payload generation: how an integration reports a day of a vehicle."""
