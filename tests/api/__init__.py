"""Each rule of the HTTP layer against real servers on the loopback."""
