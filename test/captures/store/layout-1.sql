-- A database as version 0.1.0 left it (layout 1): three networks, held, cooling, reserved and quarantined addresses.
PRAGMA foreign_keys = OFF;
PRAGMA application_id = 1179798596;
PRAGMA user_version = 1;
BEGIN TRANSACTION;
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
INSERT INTO "event" VALUES(1,1700000000000,'server','server-started','','',NULL,'','','','',0,'version 0.1.0, epoch 1');
INSERT INTO "event" VALUES(2,1700000000000,'uid:0','network-created','web','default',NULL,'','','','',0,'');
INSERT INTO "event" VALUES(3,1700000000000,'uid:0','network-created','lan','default',NULL,'','','','',0,'');
INSERT INTO "event" VALUES(4,1700000000000,'node:n1','network-created','bridge','default',NULL,'','','','',0,'');
INSERT INTO "event" VALUES(5,1700000000000,'node:n1','lease-bound','bridge','default',X'00000000000000000000FFFF0A06000A','c1','eth0','n1','02:00:00:00:00:01',5,'');
INSERT INTO "event" VALUES(6,1700000000000,'node:n1','lease-bound','web','default',X'00000000000000000000FFFF0A4D0002','c1','eth1','n1','',6,'');
INSERT INTO "event" VALUES(7,1700000000000,'node:n1','lease-bound','web','default',X'FD770000000000000000000000000002','c1','eth1','n1','',7,'');
INSERT INTO "event" VALUES(8,1700000000000,'node:n1','lease-bound','web','default',X'00000000000000000000FFFF0A4D0003','c2','eth0','n1','',8,'');
INSERT INTO "event" VALUES(9,1700000000000,'node:n1','lease-bound','web','default',X'FD770000000000000000000000000003','c2','eth0','n1','',9,'');
INSERT INTO "event" VALUES(10,1700000001000,'node:n1','lease-released','web','default',X'00000000000000000000FFFF0A4D0003','c2','eth0','n1','',8,'');
INSERT INTO "event" VALUES(11,1700000001000,'node:n1','lease-released','web','default',X'FD770000000000000000000000000003','c2','eth0','n1','',9,'');
INSERT INTO "event" VALUES(12,1700000001000,'uid:0','address-reserved','lan','default',X'00000000000000000000FFFF0A050082','','','','',0,'printer');
INSERT INTO "event" VALUES(13,1700000001000,'uid:0','lease-quarantined','lan','default',X'00000000000000000000FFFF0A050083','','','','',0,'answers ARP');
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
INSERT INTO "lease" VALUES('default',X'00000000000000000000FFFF0A050082',2,X'BBC75EA5E90A0C0F50EAEAE8332E63EC',0,'reserved',0,12,'','','','','','[]','',NULL,1700000001000,NULL,'{"reason":"printer","stickyName":"p"}',NULL);
INSERT INTO "lease" VALUES('default',X'00000000000000000000FFFF0A050083',2,X'BBC75EA5E90A0C0F50EAEAE8332E63EC',0,'quarantined',0,13,'','','','','','[]','',NULL,1700000001000,NULL,NULL,'answers ARP');
INSERT INTO "lease" VALUES('default',X'00000000000000000000FFFF0A06000A',3,X'C2CCCADDC9194016797F978DD714FDF1',0,'bound',5,5,'c1','eth0','n1','b1','02:00:00:00:00:01','["db","data"]','db',1700000000000,1700000000000,NULL,NULL,NULL);
INSERT INTO "lease" VALUES('default',X'00000000000000000000FFFF0A4D0002',1,X'72A6A4B7D7830220C1C74A47F86E58D7',0,'bound',6,6,'c1','eth1','n1','','','[]','',1700000000000,1700000000000,NULL,NULL,NULL);
INSERT INTO "lease" VALUES('default',X'00000000000000000000FFFF0A4D0003',1,X'F7A3D2E70FA37179616F4FF918C374E7',0,'cooling',8,10,'c2','eth0','n1','','','[]','',1700000000000,1700000001000,1700000061000,NULL,NULL);
INSERT INTO "lease" VALUES('default',X'FD770000000000000000000000000002',1,X'A6E9B35BD176D0408BDC24B0C3F7B52C',1,'bound',7,7,'c1','eth1','n1','','','[]','',1700000000000,1700000000000,NULL,NULL,NULL);
INSERT INTO "lease" VALUES('default',X'FD770000000000000000000000000003',1,X'4CF4BBAFE8892B1DB27C56500D77AB00',1,'cooling',9,11,'c2','eth0','n1','','','[]','',1700000000000,1700000001000,1700000061000,NULL,NULL);
CREATE TABLE meta (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    epoch INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    trimmed_revision INTEGER NOT NULL
  ) STRICT;
INSERT INTO "meta" VALUES(1,1,13,0);
CREATE TABLE network (
    key INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL UNIQUE,
    version INTEGER NOT NULL,
    definition TEXT NOT NULL
  ) STRICT;
INSERT INTO "network" VALUES(1,'1111111111111111111111111111111111111111111111111111111111111111','web',2,'{"id":"1111111111111111111111111111111111111111111111111111111111111111","name":"web","driver":"bridge","origin":"api","addressSpace":"default","internal":false,"coolingSeconds":60,"maxAttachments":null,"options":{},"labels":{"team":"a"},"pools":[{"family":4,"subnets":[{"subnet":"10.77.0.0/24","gateway":"10.77.0.1","ranges":["10.77.0.1-10.77.0.254"],"askable":["10.77.0.1-10.77.0.254"],"exclusions":[],"auxAddresses":{},"fromDefaultPool":true}]},{"family":6,"subnets":[{"subnet":"fd77::/64","gateway":"fd77::1","ranges":["fd77::1-fd77::ffff:ffff:ffff:ffff"],"askable":["fd77::1-fd77::ffff:ffff:ffff:ffff"],"exclusions":[],"auxAddresses":{},"fromDefaultPool":true}]}],"createdAtMs":1700000000000,"version":2}');
INSERT INTO "network" VALUES(2,'2222222222222222222222222222222222222222222222222222222222222222','lan',3,'{"id":"2222222222222222222222222222222222222222222222222222222222222222","name":"lan","driver":"overlay","origin":"api","addressSpace":"default","internal":true,"coolingSeconds":60,"maxAttachments":9,"options":{"anything":"goes"},"labels":{},"pools":[{"family":4,"subnets":[{"subnet":"10.5.0.0/24","gateway":"10.5.0.254","ranges":["10.5.0.128-10.5.0.254"],"askable":["10.5.0.1-10.5.0.254"],"exclusions":["10.5.0.200"],"auxAddresses":{"printer":"10.5.0.9"},"fromDefaultPool":false}]},{"family":6,"subnets":[{"subnet":"fd05::/64","gateway":null,"ranges":["fd05::1-fd05::ffff:ffff:ffff:ffff"],"askable":["fd05::1-fd05::ffff:ffff:ffff:ffff"],"exclusions":[],"auxAddresses":{},"fromDefaultPool":false}]}],"createdAtMs":1700000000000,"version":3}');
INSERT INTO "network" VALUES(3,'3333333333333333333333333333333333333333333333333333333333333333','bridge',4,'{"id":"3333333333333333333333333333333333333333333333333333333333333333","name":"bridge","driver":"bridge","origin":"conflist","addressSpace":"default","internal":false,"coolingSeconds":60,"maxAttachments":null,"options":{},"labels":{},"pools":[{"family":4,"subnets":[{"subnet":"10.6.0.0/24","gateway":"10.6.0.1","ranges":["10.6.0.10-10.6.0.254"],"askable":["10.6.0.10-10.6.0.254"],"exclusions":[],"auxAddresses":{},"fromDefaultPool":false}]}],"createdAtMs":1700000000000,"version":4}');
CREATE UNIQUE INDEX lease_owner ON lease (owner) WHERE state = 'bound';
CREATE INDEX event_address ON event (address, revision) WHERE address IS NOT NULL;
COMMIT;
