CREATE TABLE realm (
    name TEXT NOT NULL PRIMARY KEY,
    is_default INTEGER NOT NULL DEFAULT 0 CHECK (is_default IN (0, 1))
) STRICT;
CREATE UNIQUE INDEX one_default_realm ON realm (is_default) WHERE is_default;

CREATE TABLE domain (
    name TEXT NOT NULL PRIMARY KEY,
    realm TEXT NOT NULL REFERENCES realm (name)
) STRICT;

-- Hashes are hexadecimal digits, lists are JSON arrays of texts.
CREATE TABLE user (
    name TEXT NOT NULL,
    realm TEXT NOT NULL REFERENCES realm (name),
    md5 TEXT,
    sha_256 TEXT,
    sha_512_256 TEXT,
    may_assert TEXT,
    may_divert TEXT,
    may_call TEXT,
    PRIMARY KEY (realm, name)
) STRICT, WITHOUT ROWID;

-- Another value after every change, whoever makes it.
CREATE TABLE version (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    value BLOB NOT NULL
) STRICT;
INSERT INTO version VALUES (1, randomblob(16));

CREATE TRIGGER realm_added AFTER INSERT ON realm BEGIN UPDATE version SET value = randomblob(16); END;
CREATE TRIGGER realm_changed AFTER UPDATE ON realm BEGIN UPDATE version SET value = randomblob(16); END;
CREATE TRIGGER realm_removed AFTER DELETE ON realm BEGIN UPDATE version SET value = randomblob(16); END;
CREATE TRIGGER domain_added AFTER INSERT ON domain BEGIN UPDATE version SET value = randomblob(16); END;
CREATE TRIGGER domain_changed AFTER UPDATE ON domain BEGIN UPDATE version SET value = randomblob(16); END;
CREATE TRIGGER domain_removed AFTER DELETE ON domain BEGIN UPDATE version SET value = randomblob(16); END;
CREATE TRIGGER user_added AFTER INSERT ON user BEGIN UPDATE version SET value = randomblob(16); END;
CREATE TRIGGER user_changed AFTER UPDATE ON user BEGIN UPDATE version SET value = randomblob(16); END;
CREATE TRIGGER user_removed AFTER DELETE ON user BEGIN UPDATE version SET value = randomblob(16); END;
