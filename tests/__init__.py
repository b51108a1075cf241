"""One test module for each module, and the whole path against real servers."""
