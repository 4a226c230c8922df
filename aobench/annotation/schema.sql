-- Version 1. Opened with journal_mode=WAL, synchronous=FULL, foreign_keys=ON.

CREATE TABLE settings (           -- what the file is bound to
    key TEXT PRIMARY KEY,         -- images_sha256, seed, catch_rate, created_at
    value TEXT NOT NULL
);

CREATE TABLE images (             -- the rows of the image table
    image_id TEXT PRIMARY KEY,
    attribute TEXT NOT NULL,
    object TEXT NOT NULL,
    file TEXT NOT NULL            -- relative to the image table's folder
);

CREATE TABLE pictures (           -- of which pictures, where the image table has a column sha256 (old files lack this table)
    image_id TEXT PRIMARY KEY REFERENCES images (image_id),
    sha256 TEXT NOT NULL          -- of the picture's file, hexadecimal
);

CREATE TABLE trials (             -- what each annotator is shown, drawn once when the annotator first starts
    annotator TEXT NOT NULL,
    trial TEXT NOT NULL,
    position INTEGER NOT NULL,
    image_id TEXT NOT NULL REFERENCES images (image_id),
    attribute TEXT NOT NULL,      -- as claimed on the screen
    object TEXT NOT NULL,
    wrong TEXT NOT NULL CHECK (wrong IN ('', 'attribute', 'object')),  -- the exchanged one of a catch trial
    PRIMARY KEY (annotator, trial),
    UNIQUE (annotator, position)
);

CREATE TABLE verdicts (           -- never deleted: undo fills in withdrawn_at
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    annotator TEXT NOT NULL,
    trial TEXT NOT NULL,
    attribute_answer TEXT NOT NULL CHECK (attribute_answer IN ('yes', 'no', 'unsure')),
    object_answer TEXT NOT NULL CHECK (object_answer IN ('yes', 'no', 'unsure')),
    seconds REAL NOT NULL CHECK (seconds >= 0),
    answered_at TEXT NOT NULL,    -- UTC, ISO 8601
    withdrawn_at TEXT,
    FOREIGN KEY (annotator, trial) REFERENCES trials (annotator, trial)
);

CREATE UNIQUE INDEX one_verdict_a_trial ON verdicts (annotator, trial) WHERE withdrawn_at IS NULL;
CREATE INDEX verdicts_of_annotator ON verdicts (annotator, id);

CREATE TABLE IF NOT EXISTS practice (           -- examples with feedback before the first image, of which the first answer stands (old files lack this table)
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    annotator TEXT NOT NULL,
    example TEXT NOT NULL,
    attribute_answer TEXT NOT NULL,
    object_answer TEXT NOT NULL,
    is_right INTEGER NOT NULL,
    answered_at TEXT NOT NULL,
    UNIQUE (annotator, example)
);

CREATE TABLE IF NOT EXISTS choices (            -- in a file of names, what each image may be called (old files lack this table)
    image_id TEXT NOT NULL REFERENCES images (image_id),
    place INTEGER NOT NULL,       -- in the order on the screen, from 0
    name TEXT NOT NULL,
    PRIMARY KEY (image_id, place),
    UNIQUE (image_id, name)
);

CREATE TABLE IF NOT EXISTS names (              -- in a file of names, what annotators called an image (old files lack this table)
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    annotator TEXT NOT NULL,
    trial TEXT NOT NULL,
    answer TEXT NOT NULL,         -- a name of choices, or unsure
    seconds REAL NOT NULL CHECK (seconds >= 0),
    answered_at TEXT NOT NULL,
    withdrawn_at TEXT,
    FOREIGN KEY (annotator, trial) REFERENCES trials (annotator, trial)
);

CREATE UNIQUE INDEX IF NOT EXISTS one_name_a_trial ON names (annotator, trial) WHERE withdrawn_at IS NULL;
