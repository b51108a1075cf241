"""The command line as its user meets it: as a program, with its output, its exit code and its files."""
