"""The history of DIMO-connected vehicles: fetched completely, kept as received, flattened, open to SQL."""
