-- The tables that `store = "postgres://..."` reads, for PostgreSQL 13 and later. Run as the owner of the database:
--
--     psql --single-transaction -v ON_ERROR_STOP=1 -f postgres.sql DATABASE
--
-- The role of the daemon only reads:
--
--     CREATE ROLE sbc LOGIN;  GRANT USAGE ON SCHEMA sbc TO sbc;  GRANT SELECT ON ALL TABLES IN SCHEMA sbc TO sbc;
--
-- Views of these names and columns will do as well. Where sbc.version has no row, or NULL, everything is read each time.

CREATE SCHEMA sbc;

-- Exactly one of them is the default one: of requests for no domain of ours.
CREATE TABLE sbc.realms (
    name text PRIMARY KEY CHECK (name <> '' AND name !~ '["\\[:cntrl:]]' AND octet_length(name) <= 255),
    is_default boolean NOT NULL DEFAULT false
);
CREATE UNIQUE INDEX one_spelling ON sbc.realms (lower(name));
CREATE UNIQUE INDEX one_default_realm ON sbc.realms (is_default) WHERE is_default;

-- Domains whose realm has another name than themselves.
CREATE TABLE sbc.domains (
    name text PRIMARY KEY CHECK (name ~ '^[-a-z0-9._:\[\]]{1,255}$'),
    realm text NOT NULL REFERENCES sbc.realms ON UPDATE CASCADE
);

-- Hashes are hexadecimal digits of HA1 = hash of name:realm:password, as `sbc ha1` prints them; a user whose realm is
-- renamed needs new ones. Without may_assert a user may claim what the name makes in the realm's domains.
CREATE TABLE sbc.users (
    name text NOT NULL CHECK (name <> '' AND name !~ '[:[:cntrl:]]' AND octet_length(name) <= 255),
    realm text NOT NULL REFERENCES sbc.realms,
    md5 text CHECK (md5 ~ '^[0-9A-Fa-f]{32}$'),
    sha_256 text CHECK (sha_256 ~ '^[0-9A-Fa-f]{64}$'),
    sha_512_256 text CHECK (sha_512_256 ~ '^[0-9A-Fa-f]{64}$'),
    may_assert text[],
    may_divert text[],
    may_call text[],
    PRIMARY KEY (realm, name),
    CHECK (num_nonnulls(md5, sha_256, sha_512_256) > 0)
);

-- Another value after every statement that may have changed something.
CREATE TABLE sbc.version (
    only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    value uuid NOT NULL DEFAULT gen_random_uuid()
);
INSERT INTO sbc.version DEFAULT VALUES;

CREATE FUNCTION sbc.has_changed() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog AS $$
BEGIN
    UPDATE sbc.version SET value = gen_random_uuid();
    RETURN NULL;
END $$;
CREATE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON sbc.realms
    FOR EACH STATEMENT EXECUTE FUNCTION sbc.has_changed();
CREATE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON sbc.domains
    FOR EACH STATEMENT EXECUTE FUNCTION sbc.has_changed();
CREATE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON sbc.users
    FOR EACH STATEMENT EXECUTE FUNCTION sbc.has_changed();
