-- Whose what stands in a guild is: by which of Discord's audit entries it is known that we did it, and by which somebody
-- else has taken it back since. Both are snowflakes, so that the later one is the last word whenever it comes.
ALTER TABLE deliveries ADD COLUMN echo INTEGER;
ALTER TABLE deliveries ADD COLUMN lifted INTEGER;
