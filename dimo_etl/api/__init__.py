"""The services of DIMO over HTTP: one transport, the credentials, and one module for each service that is asked."""
