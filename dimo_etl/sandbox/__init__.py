"""A local DIMO with a simulated fleet: the services' documented behaviour over real HTTP, on loopback only.

Nothing here is needed to talk to the real services; tests, the demo and first steps use it.
"""
