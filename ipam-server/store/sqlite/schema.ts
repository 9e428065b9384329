/**
 * The database's layout, as the list of steps that lead to it. `PRAGMA user_version` counts the steps taken;
 * a step that was released never changes, a new layout is a new step.
 *
 * - Addresses are 16-byte keys whose order is that of the addresses (lib/addr `addressToKey`).
 * - Instants are milliseconds since the Unix epoch.
 * - `version` and `sequence` are event revisions. Every UPDATE and DELETE names the version that it replaces.
 * - `owner` is a digest of network ID, container ID, ifname and pool (rows.ts `ownerDigest`). An index over the
 *   four columns says the same with three times the pages, and container IDs are random: at 150,000 leases that
 *   index alone halved the rate of commits and doubled their 99th percentile.
 * - The primary key and `lease_owner` refuse what must never be: an address granted twice, or two addresses of
 *   one pool for one attachment. Memory decides; these say no if memory is ever wrong.
 */

/** `PRAGMA application_id`: "FRLD". */
export const APPLICATION_ID = 0x46524c44;

export const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE meta (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    epoch INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    trimmed_revision INTEGER NOT NULL
  ) STRICT;
  INSERT INTO meta VALUES (1, 0, 0, 0);

  CREATE TABLE network (
    key INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL UNIQUE,
    version INTEGER NOT NULL,
    definition TEXT NOT NULL
  ) STRICT;

  CREATE TABLE lease (
    space TEXT NOT NULL,
    address BLOB NOT NULL CHECK (length(address) = 16),
    network INTEGER NOT NULL REFERENCES network (key),
    owner BLOB NOT NULL CHECK (length(owner) = 16),
    pool INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('bound', 'cooling', 'quarantined', 'reserved')),
    sequence INTEGER NOT NULL,
    version INTEGER NOT NULL,
    container_id TEXT NOT NULL,
    ifname TEXT NOT NULL,
    node TEXT NOT NULL,
    boot_id TEXT NOT NULL,
    mac TEXT NOT NULL,
    names TEXT NOT NULL,
    sticky_name TEXT NOT NULL,
    acquired_at INTEGER,
    since INTEGER NOT NULL,
    until INTEGER,
    reservation TEXT,
    quarantine TEXT,
    PRIMARY KEY (space, address)
  ) STRICT, WITHOUT ROWID;
  CREATE UNIQUE INDEX lease_owner ON lease (owner) WHERE state = 'bound';

  CREATE TABLE event (
    revision INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    kind TEXT NOT NULL,
    network_name TEXT NOT NULL,
    space TEXT NOT NULL,
    address BLOB,
    container_id TEXT NOT NULL,
    ifname TEXT NOT NULL,
    node TEXT NOT NULL,
    mac TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    reason TEXT NOT NULL
  ) STRICT;
  CREATE INDEX event_address ON event (address, revision) WHERE address IS NOT NULL;
  `,
  `
  ALTER TABLE event ADD COLUMN network_id TEXT NOT NULL DEFAULT '';
  `,
  `
  ALTER TABLE meta ADD COLUMN log_id TEXT NOT NULL DEFAULT '';
  UPDATE meta SET log_id = lower(hex(randomblob(16)));
  `,
];
