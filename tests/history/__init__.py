"""Complete history, against simulated services and the sandbox."""
