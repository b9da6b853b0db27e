-- When a ban left together with others last: the audit entries of such a request name nobody, and may come before its answer,
-- when something newer has ended the ban meanwhile.
ALTER TABLE deliveries ADD COLUMN together_at INTEGER;
