-- is_sentinel(reading): whether an odometer reading stands for something else in any vehicle, as DIMO's IsOdometerValid has it.
CREATE MACRO is_sentinel(reading) AS reading <= 0 OR reading IN (65538, 65539, 983040);
