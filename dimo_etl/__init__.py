"""The history of DIMO-connected vehicles: fetched completely, kept as received, flattened, and open to SQL."""
