PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE jobs (
  job INTEGER PRIMARY KEY,
  id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
  tenant TEXT NOT NULL DEFAULT 'default',
  project TEXT NOT NULL DEFAULT 'default',
  principal TEXT NOT NULL DEFAULT 'default',
  client_job_id TEXT NOT NULL,
  client_version TEXT NOT NULL,
  idempotency_key TEXT NOT NULL,
  fingerprint BLOB NOT NULL,
  fingerprint_version INTEGER NOT NULL,
  status INTEGER NOT NULL,
  reason TEXT NOT NULL,
  attempt INTEGER NOT NULL,
  -- A claim is daemon, attempt and lease; a NULL lease lasts as long as the directory's lock.
  claim_daemon BLOB,
  claim_attempt INTEGER,
  lease_until INTEGER,
  lane TEXT NOT NULL,
  device TEXT NOT NULL,
  name TEXT NOT NULL,
  tags BLOB NOT NULL,
  seed INTEGER NOT NULL,
  accepted_at INTEGER,
  compiled_at INTEGER,
  queued_at INTEGER,
  reserved_at INTEGER,
  started_at INTEGER,
  device_us INTEGER,
  finished_at INTEGER,
  stored_at INTEGER,
  shots_done INTEGER NOT NULL,
  shots_total INTEGER NOT NULL,
  last_sequence INTEGER NOT NULL,
  cost_held INTEGER,
  cost INTEGER,
  error BLOB,
  trace_id TEXT NOT NULL,
  annotations BLOB NOT NULL,
  notices BLOB NOT NULL,
  replay_of BLOB,
  cancel_requested INTEGER NOT NULL,
  fallback_used INTEGER NOT NULL,
  has_result INTEGER NOT NULL
);
INSERT INTO jobs VALUES(1,X'018bcfe5680070008951cb7143464938','default','default','alice','','','key',X'0101010101010101010101010101010101010101010101010101010101010101',1,6,'',1,NULL,NULL,NULL,'interactive','','',X'070000006669787475726505000000c3a974c3a9',-1,1700000000000000,NULL,NULL,NULL,NULL,NULL,NULL,1700000000000000,0,1024,6,NULL,NULL,NULL,'',X'040000006e6f7465040000006b657074',X'',NULL,0,0,1);
INSERT INTO jobs VALUES(2,X'018bcfe5680070019480acd6ec1fceb3','default','default','alice','','','',X'0101010101010101010101010101010101010101010101010101010101010101',1,2,'',1,NULL,NULL,NULL,'interactive','','',X'',0,1700000000000000,NULL,NULL,NULL,NULL,NULL,NULL,NULL,0,1024,2,NULL,NULL,NULL,'',X'',X'',NULL,0,0,0);
INSERT INTO jobs VALUES(3,X'018bcfe5680070029f572100d1bada03','default','default','alice','','','',X'0101010101010101010101010101010101010101010101010101010101010101',1,7,'',1,NULL,NULL,NULL,'interactive','','',X'',0,1700000000000000,NULL,NULL,NULL,NULL,NULL,NULL,1700000000000000,0,1024,3,NULL,NULL,X'7117000000000000060000000000000062726f6b656e','',X'',X'',NULL,0,0,0);
CREATE TABLE requests (
  job INTEGER PRIMARY KEY REFERENCES jobs (job),
  tenant TEXT NOT NULL DEFAULT 'default',
  project TEXT NOT NULL DEFAULT 'default',
  principal TEXT NOT NULL DEFAULT 'default',
  request BLOB NOT NULL
);
INSERT INTO requests VALUES(1,'default','default','alice',X'000102ff');
INSERT INTO requests VALUES(2,'default','default','alice',X'000102ff');
INSERT INTO requests VALUES(3,'default','default','alice',X'000102ff');
CREATE TABLE job_tags (
  tenant TEXT NOT NULL DEFAULT 'default',
  project TEXT NOT NULL DEFAULT 'default',
  principal TEXT NOT NULL DEFAULT 'default',
  tag TEXT NOT NULL,
  id BLOB NOT NULL,
  PRIMARY KEY (tenant, project, tag, id)
) WITHOUT ROWID;
INSERT INTO job_tags VALUES('default','default','alice','fixture',X'018bcfe5680070008951cb7143464938');
INSERT INTO job_tags VALUES('default','default','alice','été',X'018bcfe5680070008951cb7143464938');
CREATE TABLE events (
  job INTEGER NOT NULL REFERENCES jobs (job),
  sequence INTEGER NOT NULL,
  tenant TEXT NOT NULL DEFAULT 'default',
  project TEXT NOT NULL DEFAULT 'default',
  principal TEXT NOT NULL DEFAULT 'default',
  time INTEGER NOT NULL,
  kind TEXT NOT NULL,
  status INTEGER NOT NULL,
  reason TEXT NOT NULL,
  attempt INTEGER NOT NULL,
  body BLOB NOT NULL,
  PRIMARY KEY (job, sequence)
) WITHOUT ROWID;
INSERT INTO events VALUES(1,1,'default','default','alice',1700000000000000,'status.changed',1,'',1,X'');
INSERT INTO events VALUES(1,2,'default','default','alice',1700000000000000,'status.changed',2,'',1,X'');
INSERT INTO events VALUES(1,3,'default','default','alice',1700000000000000,'status.changed',3,'',1,X'');
INSERT INTO events VALUES(1,4,'default','default','alice',1700000000000000,'status.changed',4,'',1,X'');
INSERT INTO events VALUES(1,5,'default','default','alice',1700000000000000,'status.changed',5,'',1,X'');
INSERT INTO events VALUES(1,6,'default','default','alice',1700000000000000,'status.changed',6,'',1,X'');
INSERT INTO events VALUES(2,1,'default','default','alice',1700000000000000,'status.changed',1,'',1,X'');
INSERT INTO events VALUES(2,2,'default','default','alice',1700000000000000,'status.changed',2,'',1,X'');
INSERT INTO events VALUES(3,1,'default','default','alice',1700000000000000,'status.changed',1,'',1,X'');
INSERT INTO events VALUES(3,2,'default','default','alice',1700000000000000,'status.changed',2,'',1,X'');
INSERT INTO events VALUES(3,3,'default','default','alice',1700000000000000,'status.changed',7,'',1,X'');
CREATE TABLE results (
  job INTEGER PRIMARY KEY REFERENCES jobs (job),
  tenant TEXT NOT NULL DEFAULT 'default',
  project TEXT NOT NULL DEFAULT 'default',
  principal TEXT NOT NULL DEFAULT 'default',
  manifest BLOB NOT NULL,
  manifest_sha256 BLOB NOT NULL,
  provenance BLOB NOT NULL,
  provenance_sha256 BLOB NOT NULL
);
INSERT INTO results VALUES(1,'default','default','alice',X'00700068e5cf8b013849464371cb51890100000000000000000400000000000000000000000000002000000000000000e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855020000000000000005000000000000006974656d30000000000000000001000000000000000100000000000000030000000000000003000000000000002000000000000000039058c6f2c0cb492c533b0a4d14ef77cc0f78abccced5287d84a1a2011cfb810100000000000000000000000000000003000000000000002000000000000000039058c6f2c0cb492c533b0a4d14ef77cc0f78abccced5287d84a1a2011cfb8105000000000000006974656d31000000000000000001000000000000000100000000000000d007000000000000d0070000000000002000000000000000d28fe05a27ee94493d97354e92bd74f1ce84648ad0bfb8f744b038c40db4f5b601000000000000000000000000000000d0070000000000002000000000000000d28fe05a27ee94493d97354e92bd74f1ce84648ad0bfb8f744b038c40db4f5b6',X'd06fa2ab836b155e48bf8edfd2db77adf657c7023e68ab6b2bfce88b8de4f9e3',X'00700068e5cf8b013849464371cb51890f0000000000000073696d2e7374617465766563746f72ffffffffffffffff',X'225d899305cc90c2d279496e6e5c5f0398fd92656a585533121afa09b85dd681');
CREATE TABLE result_chunks (
  job INTEGER NOT NULL REFERENCES results (job),
  item INTEGER NOT NULL,
  chunk INTEGER NOT NULL,
  tenant TEXT NOT NULL DEFAULT 'default',
  project TEXT NOT NULL DEFAULT 'default',
  principal TEXT NOT NULL DEFAULT 'default',
  bytes INTEGER NOT NULL,
  sha256 BLOB NOT NULL,
  encoding INTEGER NOT NULL,
  content BLOB,
  file BLOB,
  offset INTEGER NOT NULL,
  PRIMARY KEY (job, item, chunk)
) WITHOUT ROWID;
INSERT INTO result_chunks VALUES(1,0,0,'default','default','alice',3,X'039058c6f2c0cb492c533b0a4d14ef77cc0f78abccced5287d84a1a2011cfb81',0,X'010203',NULL,0);
INSERT INTO result_chunks VALUES(1,1,0,'default','default','alice',2000,X'd28fe05a27ee94493d97354e92bd74f1ce84648ad0bfb8f744b038c40db4f5b6',1,X'780163671f05a321301a02a321301a02a321301a02433d0400cf2336b1',NULL,0);
CREATE INDEX jobs_by_project ON jobs (tenant, project, id);
CREATE INDEX jobs_by_status ON jobs (tenant, project, status, id);
CREATE UNIQUE INDEX jobs_by_key ON jobs (tenant, project, principal, idempotency_key)
  WHERE idempotency_key <> '';
COMMIT;
PRAGMA application_id = 1363301715;
PRAGMA user_version = 1;
