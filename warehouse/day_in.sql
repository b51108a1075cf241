-- day_in(instant, tz): the day of an IANA time zone that an instant falls in; in UTC it needs no calendar, which is quicker.
CREATE MACRO day_in(instant, tz) AS
    CASE WHEN tz = 'UTC' THEN make_timestamp(epoch_us(instant)) ELSE instant AT TIME ZONE tz END::DATE;
