-- kilometres(reading): an odometer reading in km; above 999 999 it is metres, as DIMO's own converter takes it.
CREATE MACRO kilometres(reading) AS CASE WHEN reading > 999999 THEN reading / 1000 ELSE reading END;
