-- Reports are numbered, so that one whose outcome is unknown may be repeated.

ALTER TABLE godwit_reports ADD COLUMN run INTEGER NOT NULL DEFAULT 0;
ALTER TABLE godwit_reports ADD COLUMN seq INTEGER NOT NULL DEFAULT 0;
