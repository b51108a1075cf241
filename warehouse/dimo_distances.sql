-- dimo_distances: what DIMO said, and when, of how far each vehicle was driven.
--
-- Columns
--   vehicle_id  token id in decimal, or user device id
--   asked_at    when it was asked, UTC
--   time_zone   the IANA zone whose days were asked for; null for the total
--   date        day in that zone; null for the total
--   dimo_km     km; for a day null where DIMO has no distance for it
--
-- Rules
--   Each answer is kept. An answer of days lists those from the first to the last of the past 14 that has data.
CREATE VIEW dimo_distances AS
SELECT vehicle_id, asked_at, time_zone, date, dimo_km
FROM ${distances};
