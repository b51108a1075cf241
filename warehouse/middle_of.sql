-- middle_of(one, two, three): the middle one of three numbers; of two, where the third is null, the lower.
CREATE MACRO middle_of(one, two, three) AS
    CASE WHEN three IS NULL THEN least(one, two) ELSE greatest(least(one, two), least(greatest(one, two), three)) END;
