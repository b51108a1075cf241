"""A second, independent DIMO, written from its published behaviour alone, that tries to make `dimo-etl sync` wrong."""
