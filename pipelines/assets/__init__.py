"""The assets, in the order data flows: vehicles, history (raw and signals), views."""
