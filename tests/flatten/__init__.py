"""Documents into rows of signals, leaf by leaf."""
