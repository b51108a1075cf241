"""The files of the warehouse: raw units, the signals of each day, quarantine; each replaced whole and atomically."""
