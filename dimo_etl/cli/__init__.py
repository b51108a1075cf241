"""The command line `dimo-etl`: each command is a few lines over the library, in the module of its name."""
