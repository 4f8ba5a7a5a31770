//! Looking into a bare snapshot, level by level. PURE.
//!
//! Memory, whatever the bytes say: one bit for each page that the file really has (twice where it
//! lists its free pages), at most 21 bytes for each key of a user, deleted ones that were not
//! compacted away among them, and beside that at most 52 MiB: 12 of blocks of the file, 24 of one
//! leaf with its pages, 6 of one branch for each level, 4 of inline buckets, 6 of what is kept of
//! resources.

use std::{io, ops::ControlFlow};

use jiff::Timestamp;

use super::{
    buckets::{self, Bucket},
    bytes::hex,
    crc::{Crc, Piece},
    digest,
    fault::Fault,
    freelist,
    hash_kv::{HashKv, NEVER},
    key_value::KeyValue,
    keyspace::Keyspace,
    kubernetes::{self, Resources},
    meta::{Length, Meta, MetaError, Metas},
    page::Leaf,
    records::Records,
    revision::Revision,
    run::Run,
    source::{Source, Window},
    tree::{Pages, Tree},
    verdict::{Digest, Facts, Finding, HashKv as HashFact, Level, Verdict},
    visited::Visited,
};

/// Buckets without which a database is not etcd's.
const NEEDED: [&str; 2] = ["key", "meta"];
/// Every bucket that etcd has had since 3.4.
const KNOWN: [&str; 11] = [
    "alarm",
    "auth",
    "authRevision",
    "authRoles",
    "authUsers",
    "cluster",
    "key",
    "lease",
    "members",
    "members_removed",
    "meta",
];
/// Buckets that `readable` reads; the others may be large.
const SMALL: [&str; 5] = ["alarm", "auth", "cluster", "members", "meta"];
/// Rows of a bucket, and leaves of the key space, that `readable` looks at.
const A_FEW: usize = 64;
/// Bytes of leaves of the key space that `readable` looks at.
const A_LITTLE: usize = 256 << 10;
/// etcd's quota where none is set, in bytes.
const DEFAULT_QUOTA: u64 = 2 << 30;

/// A look into a snapshot.
pub struct Inspection {
    level: Level,
    facts: Facts,
    findings: Vec<Finding>,
    /// What the first pages say, if they say anything.
    layout: Option<(Metas, Length)>,
}

impl Inspection {
    /// Begins with the metas and the length. `facts` and `findings` are what is known of where the
    /// bytes come from.
    pub fn begin(
        source: &mut dyn Source,
        level: Level,
        facts: Facts,
        findings: Vec<Finding>,
    ) -> Self {
        let mut look = Self { level, facts, findings, layout: None };
        match Metas::read(source) {
            Ok(metas) => look.layout(source.size(), metas),
            Err(MetaError::None(why)) => look.findings.push(super::stranger::finding(source, &why)),
            Err(MetaError::Unreadable(error)) => look.unreadable(&error),
        }
        look
    }

    fn layout(&mut self, size: u64, metas: Metas) {
        let meta = &metas.chosen;
        self.facts.page_size = Some(meta.page_size);
        self.facts.database_size = Some(meta.size());
        self.facts.txid = Some(meta.txid);
        let length = Length::of(size, &metas);
        let database = meta.size();
        match &length {
            Length::Snapshot => self.facts.format = Some("snapshot"),
            Length::Copy => {
                self.facts.format = Some("copy");
                self.findings.push(Finding::unproven(
                    "no-digest",
                    "this is a database file without a SHA-256, as a data directory has it: nothing \
                     says whether it was copied whole, and `etcdutl snapshot restore` takes it only \
                     with --skip-hash-check",
                ));
            }
            Length::Short { missing: 32 } => self.findings.push(Finding::error(
                "truncated",
                "the SHA-256 at the end, the last 32 bytes, is missing",
            )),
            Length::Short { missing } => self.findings.push(Finding::error(
                "truncated",
                format!(
                    "{missing} bytes are missing at the end: the file has {size}, its first page \
                     says {}",
                    database.saturating_add(super::meta::DIGEST)
                ),
            )),
            Length::Long { extra } => self.findings.push(Finding::error(
                "trailing-bytes",
                format!("{extra} bytes more than database and SHA-256 have"),
            )),
        }
        if let Some(why) = &metas.damaged {
            self.findings.push(Finding::error("meta", why.clone()));
        } else if length == Length::Snapshot && !metas.streamed {
            self.findings.push(Finding::info(
                "metas-differ",
                "the two meta pages differ as those of a database in use do: a copy of one that was \
                 given a SHA-256 later",
            ));
        }
        if meta.size() > DEFAULT_QUOTA {
            self.findings.push(Finding::warning(
                "over-default-quota",
                format!(
                    "the database has {} bytes, more than etcd's default quota of 2 GiB: a restored \
                     member needs a larger --quota-backend-bytes, or it takes no writes",
                    meta.size()
                ),
            ));
        }
        self.layout = Some((metas, length));
    }

    fn unreadable(&mut self, error: &io::Error) {
        self.findings
            .push(Finding::unproven("unreadable", format!("a part cannot be read: {error}")));
    }

    /// How many bytes the digest covers, if this level compares it.
    #[must_use]
    pub fn to_hash(&self) -> Option<u64> {
        match &self.layout {
            Some((metas, Length::Snapshot)) if self.level >= Level::Intact => {
                Some(metas.chosen.size())
            }
            _ => None,
        }
    }

    /// Compares the SHA-256 of the first [`Self::to_hash`] bytes with what the file ends with.
    pub fn digest(&mut self, source: &mut dyn Source, computed: io::Result<[u8; 32]>) {
        let size = source.size();
        let stored = digest::stored(source, size);
        match computed.and_then(|computed| Ok((computed, stored?))) {
            Ok((computed, stored)) => {
                if computed != stored {
                    self.findings.push(Finding::error(
                        "digest-mismatch",
                        "the SHA-256 of the content is not the one that the file ends with: bytes \
                         were changed, or the digest was",
                    ));
                }
                self.facts.digest = Some(Digest { computed: hex(&computed), stored: hex(&stored) });
            }
            Err(error) => self.unreadable(&error),
        }
    }

    /// Reads what the level asks for, but for the digest.
    pub fn read(&mut self, source: &mut dyn Source, now: Timestamp) {
        let Some((metas, length)) = self.layout.take() else { return };
        let whole = !matches!(length, Length::Short { .. });
        if whole && self.level >= Level::Readable {
            let meta = &metas.chosen;
            let mut window = Window::new(source, meta.size());
            let mut visited = Visited::new(meta.pages);
            // The metas' own.
            visited.insert(0);
            visited.insert(1);
            let mut pages = Pages::default();
            let mut tree =
                Tree { window: &mut window, meta, visited: &mut visited, pages: &mut pages };
            let read = buckets::read(&mut tree);
            let result = read.and_then(|buckets| self.buckets(&mut tree, &buckets, now));
            if let Err(fault) = result {
                self.fault(&fault, "the database");
            } else if self.level >= Level::Intact {
                self.pages(&mut window, meta, &mut visited);
            }
        }
        self.layout = Some((metas, length));
    }

    /// The verdict.
    #[must_use]
    pub fn end(mut self) -> Verdict {
        if self.level < Level::Intact && matches!(self.layout, Some((_, Length::Snapshot))) {
            self.findings.push(Finding::info(
                "not-hashed",
                format!("the SHA-256 was not compared: level {} does not", self.level.as_str()),
            ));
        }
        Verdict::of(self.level, self.facts, self.findings)
    }

    fn fault(&mut self, fault: &Fault, what: &str) {
        self.findings.push(match fault {
            Fault::Broken(why) => Finding::error("structure", format!("{what} is damaged: {why}")),
            Fault::Beyond(why) => {
                Finding::unproven("beyond-bounds", format!("{what} was not read to its end: {why}"))
            }
            Fault::Unreadable(error) => {
                Finding::unproven("unreadable", format!("{what} cannot be read: {error}"))
            }
        });
    }

    fn buckets(
        &mut self,
        tree: &mut Tree<'_, '_>,
        buckets: &[Bucket],
        now: Timestamp,
    ) -> Result<(), Fault> {
        let mut names: Vec<String> = buckets.iter().map(Bucket::label).collect();
        names.reverse();
        let missing: Vec<&str> =
            NEEDED.into_iter().filter(|needed| !names.iter().any(|name| name == needed)).collect();
        if !missing.is_empty() {
            self.findings.push(Finding::error(
                "no-etcd",
                format!(
                    "this is a bbolt database, but not etcd's: it has no bucket `{}`",
                    missing.join("` and no `")
                ),
            ));
        }
        let unknown: Vec<String> =
            names.iter().filter(|name| !KNOWN.contains(&name.as_str())).cloned().collect();
        if !unknown.is_empty() {
            self.findings.push(
                Finding::warning("unknown-bucket", "there are buckets that etcd does not have")
                    .with(unknown),
            );
        }
        self.facts.buckets = Some(names);
        // Only what is in the tree now is to be seen again by the full walk: the quick look counts
        // its pages apart.
        let mut records = Records::default();
        let edge = {
            let mut visited = Visited::new(tree.meta.pages);
            let mut quick = Tree {
                window: &mut *tree.window,
                meta: tree.meta,
                visited: &mut visited,
                pages: &mut Pages::default(),
            };
            self.quick(&mut quick, buckets, &mut records)?
        };
        if self.level >= Level::Intact {
            // Everything again, to the last row.
            records = Records::default();
            self.walk(tree, buckets, &mut records, edge.prefix.clone())?;
        }
        self.tell(&records, edge, now);
        Ok(())
    }

    /// The small buckets, and the newest rows.
    fn quick(
        &mut self,
        tree: &mut Tree<'_, '_>,
        buckets: &[Bucket],
        records: &mut Records,
    ) -> Result<Edge, Fault> {
        let mut edge = Edge::default();
        for bucket in buckets {
            if SMALL.contains(&bucket.label().as_str()) {
                let mut rows = 0;
                let _ = buckets::descend(tree, bucket, |leaf| {
                    for row in leaf.rows_descending().take(A_FEW) {
                        records.take(&bucket.name, row.key, row.value);
                    }
                    rows += leaf.count();
                    Ok(if rows < A_FEW {
                        ControlFlow::Continue(())
                    } else {
                        ControlFlow::Break(())
                    })
                })?;
            } else if bucket.name == b"key" {
                let (mut leaves, mut bytes) = (0, 0);
                let _ = buckets::descend(tree, bucket, |leaf| {
                    edge.take(leaf);
                    leaves += 1;
                    bytes += leaf.bytes().len();
                    let more = leaves < A_FEW && bytes < A_LITTLE;
                    Ok(if more { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
                })?;
            }
        }
        Ok(edge)
    }

    /// Every row of every bucket.
    fn walk(
        &mut self,
        tree: &mut Tree<'_, '_>,
        buckets: &[Bucket],
        records: &mut Records,
        prefix: Option<Vec<u8>>,
    ) -> Result<(), Fault> {
        let mut status = Crc::default();
        let mut prefix = prefix;
        let mut rows = 0;
        let mut nested = false;
        for bucket in buckets {
            if bucket.name == b"key" {
                // `meta` comes later in the alphabet, so it was read.
                let compacted = records.compacted().unwrap_or(NEVER);
                let resources = Resources::new(prefix.take());
                let mut space = Keyspace::new(HashKv::new(compacted), resources);
                *tree.pages = Pages::default();
                let _ = buckets::descend(tree, bucket, |leaf| {
                    space.take(leaf, &mut status);
                    Ok(ControlFlow::Continue(()))
                })?;
                space.end();
                rows += space.rows;
                self.facts.tree_depth = Some(tree.pages.depth);
                self.space(space, compacted);
            } else {
                let _ = buckets::descend(tree, bucket, |leaf| {
                    let mut run = Run::default();
                    for row in leaf.rows_descending() {
                        nested |= row.bucket;
                        if let Some(run) = run.add(row.place.clone()) {
                            status.prepend(Piece::of(&leaf.bytes()[run]));
                        }
                        records.take(&bucket.name, row.key, row.value);
                        rows += 1;
                    }
                    if let Some(run) = run.take() {
                        status.prepend(Piece::of(&leaf.bytes()[run]));
                    }
                    Ok(ControlFlow::Continue(()))
                })?;
            }
            status.prepend(Piece::of(&bucket.name));
        }
        if nested {
            self.findings.push(Finding::error(
                "nested-bucket",
                "there is a bucket inside of a bucket: etcd makes none",
            ));
        }
        self.facts.status_hash = Some(status.value());
        self.facts.total_rows = Some(rows);
        Ok(())
    }

    /// What the rows of the key space come to.
    fn space(&mut self, space: Keyspace, compacted: i64) {
        let newest = space.newest.map_or(0, |revision| revision.main);
        self.facts.total_keys = Some(space.live);
        self.facts.revisions = Some(space.rows);
        self.facts.tombstones = Some(space.tombstones);
        let resources = space.resources.counts();
        if !resources.is_empty() {
            self.facts.resources = Some(resources);
        }
        self.facts.other_keys = Some(space.resources.others());
        self.facts.kube_system_uid = space.resources.kube_system().map(str::to_owned);
        self.facts.newest_lease = space.resources.newest_lease();
        let encryption = space.resources.encryption();
        if !encryption.is_empty() {
            let mut keys: Vec<String> =
                encryption.iter().map(|it| format!("{} {}", it.provider, it.key)).collect();
            keys.sort();
            keys.dedup();
            self.findings.push(
                Finding::info(
                    "needs-keys",
                    "objects are encrypted: a restored API server needs the keys, and the snapshot \
                     does not hold them",
                )
                .with(keys),
            );
            self.facts.encryption = Some(encryption);
        }
        let half = space.resources.half_encrypted();
        if !half.is_empty() {
            self.findings.push(
                Finding::warning(
                    "half-encrypted",
                    "some objects of a resource are encrypted and others are not: encryption was \
                     changed and the old objects were not written again",
                )
                .with(half),
            );
        }
        if space.faults.count() > 0 {
            self.findings.push(
                Finding::error(
                    "rows",
                    format!(
                        "{} of the key space {} not as etcd writes them: etcd may not start with them",
                        crate::report::words::count(
                            usize::try_from(space.faults.count()).unwrap_or(usize::MAX),
                            "row"
                        ),
                        if space.faults.count() == 1 { "is" } else { "are" }
                    ),
                )
                .with(space.faults.named().to_vec()),
            );
        } else {
            self.facts.hash_kv = Some(HashFact {
                hash: space.hash_kv.value(),
                // An empty store's member is at revision 1.
                revision: newest.max(compacted).max(1),
                compact_revision: compacted,
            });
        }
        if space.gaps.count() > 0 {
            self.findings.push(
                Finding::error(
                    "gaps",
                    "revisions are missing that were not compacted away: rows were lost",
                )
                .with(space.gaps.named().to_vec()),
            );
        }
        if space.live == 0 {
            self.findings.push(Finding::warning(
                "no-keys",
                "the snapshot holds no key: what is restored from it is an empty cluster",
            ));
        }
    }

    /// What is known at either level.
    fn tell(&mut self, records: &Records, edge: Edge, now: Timestamp) {
        let revision = edge.newest.map_or(0, |revision| revision.main);
        let facts = &mut self.facts;
        facts.revision = Some(revision);
        facts.compact_revision = records.compacted();
        facts.current_revision = Some(revision.max(records.compacted().unwrap_or(0)).max(1));
        facts.consistent_index = records.consistent_index;
        facts.term = records.term;
        facts.storage_version.clone_from(&records.storage_version);
        facts.cluster_version.clone_from(&records.cluster_version);
        facts.members = Some(records.members.clone());
        facts.alarms = Some(records.alarms.clone());
        facts.auth = Some(records.auth);
        facts.leases = (self.level >= Level::Intact).then_some(records.leases);
        facts.etcd_prefix = edge.prefix.map(|prefix| String::from_utf8_lossy(&prefix).into_owned());
        facts.newest_lease = facts.newest_lease.max(edge.newest_lease);
        facts.content_age_seconds = facts
            .newest_lease
            .and_then(|lease| u64::try_from(now.as_second() - lease.as_second()).ok());
        for (name, why) in [
            (
                "NOSPACE",
                "the alarm NOSPACE is on, and a restore brings it back: the restored cluster takes \
                 no writes until it is compacted, defragmented and disarmed",
            ),
            (
                "CORRUPT",
                "the alarm CORRUPT is on: a member had found its own data to differ from the others'",
            ),
        ] {
            let of: Vec<String> = records
                .alarms
                .iter()
                .filter(|alarm| alarm.alarm == name)
                .map(|alarm| format!("member {}", alarm.member))
                .collect();
            if !of.is_empty() {
                let code = if name == "NOSPACE" { "alarm-nospace" } else { "alarm-corrupt" };
                self.findings.push(Finding::error(code, why).with(of));
            }
        }
        if records.compacting() {
            self.findings.push(Finding::info(
                "compacting",
                "it was taken in the middle of a compaction, which a restored member takes up again",
            ));
        }
        if records.auth {
            self.findings.push(Finding::info(
                "auth",
                "authentication is on: who restores it needs the password or certificate of a user",
            ));
        }
        if records.members.is_empty() {
            self.findings.push(Finding::warning("no-members", "it names no member of a cluster"));
        }
        if records.faults.count() > 0 {
            self.findings.push(
                Finding::error(
                    "records",
                    "rows of small buckets cannot be read: etcd may not start with them",
                )
                .with(records.faults.named().to_vec()),
            );
        }
    }

    /// Free pages: what no tree uses.
    fn pages(&mut self, window: &mut Window<'_>, meta: &Meta, visited: &mut Visited) {
        if let Some(page) = meta.freelist {
            let free = match freelist::read(window, meta, page, visited) {
                Ok(free) => free,
                Err(fault) => return self.fault(&fault, "the list of free pages"),
            };
            let lost = (2..meta.pages).find(|id| !visited.contains(*id) && !free.contains(*id));
            if let Some(page) = lost {
                let why = format!("page {page} is neither in use nor listed as free");
                return self.fault(&Fault::Broken(why), "the list of free pages");
            }
        }
        let free = meta.pages.saturating_sub(visited.count());
        self.facts.free_pages = Some(free);
        #[expect(clippy::cast_precision_loss, reason = "a share for people, in thousandths")]
        let share = free as f64 / meta.pages.max(1) as f64;
        self.facts.free_share = Some((share * 1000.0).round() / 1000.0);
    }
}

/// The newest rows, at the right edge of the tree.
#[derive(Default)]
struct Edge {
    newest: Option<Revision>,
    newest_lease: Option<Timestamp>,
    prefix: Option<Vec<u8>>,
}

impl Edge {
    fn take(&mut self, leaf: Leaf<'_>) {
        for row in leaf.rows_descending() {
            if self.newest.is_none() {
                self.newest = Revision::decode(row.key);
            }
            let Ok(object) = KeyValue::decode(row.value) else { continue };
            if self.prefix.is_none() {
                self.prefix = kubernetes::prefix(object.key, object.value).map(<[u8]>::to_vec);
            }
            if object.key.windows(8).any(|part| part == b"/leases/") {
                self.newest_lease = self.newest_lease.max(kubernetes::renewed(object.value));
            }
        }
    }
}
