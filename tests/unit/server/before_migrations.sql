BEGIN TRANSACTION;
CREATE TABLE bundles (
	id INTEGER NOT NULL, 
	case_id INTEGER NOT NULL, 
	upload_id VARCHAR NOT NULL, 
	sha256 VARCHAR NOT NULL, 
	size INTEGER NOT NULL, 
	received DATETIME NOT NULL, 
	state VARCHAR(32) NOT NULL, 
	reason VARCHAR NOT NULL, 
	bundle_id VARCHAR, 
	statement JSON NOT NULL, 
	verdict VARCHAR NOT NULL, 
	fresh BOOLEAN NOT NULL, 
	findings JSON NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(case_id) REFERENCES cases (id), 
	UNIQUE (upload_id), 
	FOREIGN KEY(upload_id) REFERENCES uploads (id)
);
INSERT INTO "bundles" VALUES(1,1,'bae87dc17d22517b345477b3a7156d18','5252a725297029b10389555ae82142679faf941050dafc9466508465f8a39346',4753,'2026-11-26 18:30:57.120126','accepted','','43fb4199-59d4-4a6f-81b7-0f290d04ff65','{"rma": "HB26-228559-8", "serial": "HB24A0017", "serial_source": "typed", "model": "AIO 27", "nonce": null, "bundle_id": "43fb4199-59d4-4a6f-81b7-0f290d04ff65", "run_id": "20261126T183056Z-16ed", "boot_id": "0d5c2a3e-9a55-4f0c-8f57-1f4f5b0c2a10", "sequence": 1, "clocks": {"wall": "2026-11-26T18:30:56.423Z", "monotonic_s": 73546.245, "boottime_s": 73546.245}, "key_protection": "file", "key": {"keyid": "1b43cae8eeae5b878c7708a634c17e76aa26352840f437ee7bf3129769d79ef6", "keytype": "ed25519", "scheme": "ed25519", "keyval": {"public": "296449c649b6e96df2431370191e14a5ee3856d5c369490b6f83a08908e087b3"}}, "tool": {"name": "aiodiag", "version": "0.1.0"}, "plan": {"name": "quick", "version": "1"}, "verdict": "pass"}','pass',0,'[]');
CREATE TABLE cases (
	id INTEGER NOT NULL, 
	rma VARCHAR NOT NULL, 
	unit_id INTEGER NOT NULL, 
	symptom VARCHAR NOT NULL, 
	words VARCHAR NOT NULL, 
	status VARCHAR(32) NOT NULL, 
	claim_sha256 VARCHAR NOT NULL, 
	created DATETIME NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (rma), 
	FOREIGN KEY(unit_id) REFERENCES units (id)
);
INSERT INTO "cases" VALUES(1,'HB26-228559-8',1,'slow-disk','','request','35a254e16dbd551c5cf49a5c6b08fd1662e5c9e0c7f05e069119bd9301100988','2026-11-26 18:30:56.325395');
CREATE TABLE device_keys (
	id INTEGER NOT NULL, 
	unit_id INTEGER NOT NULL, 
	keyid VARCHAR NOT NULL, 
	public JSON NOT NULL, 
	protection VARCHAR NOT NULL, 
	state VARCHAR(32) NOT NULL, 
	first_seen DATETIME NOT NULL, 
	last_seen DATETIME NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(unit_id) REFERENCES units (id)
);
INSERT INTO "device_keys" VALUES(1,1,'1b43cae8eeae5b878c7708a634c17e76aa26352840f437ee7bf3129769d79ef6','{"keyid": "1b43cae8eeae5b878c7708a634c17e76aa26352840f437ee7bf3129769d79ef6", "keytype": "ed25519", "scheme": "ed25519", "keyval": {"public": "296449c649b6e96df2431370191e14a5ee3856d5c369490b6f83a08908e087b3"}}','file','enrolled','2026-11-26 18:30:56.664746','2026-11-26 18:30:57.231841');
CREATE TABLE events (
	id INTEGER NOT NULL, 
	case_id INTEGER NOT NULL, 
	time DATETIME NOT NULL, 
	kind VARCHAR NOT NULL, 
	details JSON NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(case_id) REFERENCES cases (id)
);
INSERT INTO "events" VALUES(1,1,'2026-11-26 18:30:56.345811','case-opened','{"symptom": "slow-disk"}');
INSERT INTO "events" VALUES(2,1,'2026-11-26 18:30:56.680794','key-enrolled','{"keyid": "1b43cae8eeae5b878c7708a634c17e76aa26352840f437ee7bf3129769d79ef6", "protection": "file"}');
INSERT INTO "events" VALUES(3,1,'2026-11-26 18:30:56.807398','upload-started','{"sha256": "5252a725297029b10389555ae82142679faf941050dafc9466508465f8a39346", "size": 4753}');
INSERT INTO "events" VALUES(4,1,'2026-11-26 18:30:57.128658','bundle-accepted','{"sha256": "5252a725297029b10389555ae82142679faf941050dafc9466508465f8a39346", "reason": "", "verdict": "pass"}');
CREATE TABLE key_proofs (
	id INTEGER NOT NULL, 
	key_id INTEGER NOT NULL, 
	level VARCHAR(32) NOT NULL, 
	why VARCHAR NOT NULL, 
	time DATETIME NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(key_id) REFERENCES device_keys (id)
);
INSERT INTO "key_proofs" VALUES(1,1,'tofu','first use','2026-11-26 18:30:56.680615');
CREATE TABLE nonces (
	value VARCHAR NOT NULL, 
	case_id INTEGER NOT NULL, 
	key_id INTEGER NOT NULL, 
	issued DATETIME NOT NULL, 
	bundle_id INTEGER, 
	PRIMARY KEY (value), 
	FOREIGN KEY(case_id) REFERENCES cases (id), 
	FOREIGN KEY(key_id) REFERENCES device_keys (id), 
	FOREIGN KEY(bundle_id) REFERENCES bundles (id)
);
INSERT INTO "nonces" VALUES('27fd159bcfb39d6b29b8a67b30c72d38',1,1,'2026-11-26 18:30:56.680919',NULL);
INSERT INTO "nonces" VALUES('87fe0dc69fe0abb8380bece4cc33f974',1,1,'2026-11-26 18:30:57.231906',NULL);
CREATE TABLE units (
	id INTEGER NOT NULL, 
	serial VARCHAR NOT NULL, 
	model VARCHAR NOT NULL, 
	board VARCHAR NOT NULL, 
	shipped DATE, 
	PRIMARY KEY (id), 
	UNIQUE (serial)
);
INSERT INTO "units" VALUES(1,'HB24A0017','AIO 27','',NULL);
CREATE TABLE uploads (
	id VARCHAR NOT NULL, 
	case_id INTEGER NOT NULL, 
	sha256 VARCHAR NOT NULL, 
	length INTEGER NOT NULL, 
	"offset" INTEGER NOT NULL, 
	filename VARCHAR NOT NULL, 
	state VARCHAR(32) NOT NULL, 
	lease VARCHAR, 
	lease_until DATETIME, 
	created DATETIME NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(case_id) REFERENCES cases (id)
);
INSERT INTO "uploads" VALUES('bae87dc17d22517b345477b3a7156d18',1,'5252a725297029b10389555ae82142679faf941050dafc9466508465f8a39346',4753,4753,'43fb4199-59d4-4a6f-81b7-0f290d04ff65.aiodiag.zip','settled',NULL,NULL,'2026-11-26 18:30:56.807043');
CREATE INDEX ix_cases_unit_id ON cases (unit_id);
CREATE UNIQUE INDEX one_row_per_key ON device_keys (unit_id, keyid);
CREATE UNIQUE INDEX one_enrolled_key ON device_keys (unit_id) WHERE state = 'enrolled';
CREATE INDEX ix_key_proofs_key_id ON key_proofs (key_id);
CREATE UNIQUE INDEX one_upload_per_digest ON uploads (case_id, sha256) WHERE state <> 'mismatched';
CREATE INDEX ix_events_case_id ON events (case_id);
CREATE TRIGGER events_no_update BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, 'events are only ever added'); END;
CREATE TRIGGER events_no_delete BEFORE DELETE ON events BEGIN SELECT RAISE(ABORT, 'events are only ever added'); END;
CREATE INDEX ix_bundles_sha256 ON bundles (sha256);
CREATE UNIQUE INDEX accepted_once ON bundles (bundle_id) WHERE state = 'accepted';
CREATE INDEX ix_bundles_case_id ON bundles (case_id);
COMMIT;
