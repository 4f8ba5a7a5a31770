//! The bucket `key`: every row of the key space, from the newest to the oldest. PURE.

use super::{
    crc::{Crc, Piece},
    faults::Faults,
    hash_kv::HashKv,
    key_value::KeyValue,
    keys::Keys,
    kubernetes::Resources,
    page::{Leaf, Row},
    revision::Revision,
    run::Run,
};

/// What the rows come to.
pub struct Keyspace {
    /// etcd's hash of them.
    pub hash_kv: HashKv,
    /// The newest row's revision.
    pub newest: Option<Revision>,
    /// Rows.
    pub rows: u64,
    /// Rows that say that a key was deleted.
    pub tombstones: u64,
    /// Keys that live.
    pub live: u64,
    /// Objects of Kubernetes among them.
    pub resources: Resources,
    /// Rows that etcd could not read, or would not have written.
    pub faults: Faults,
    /// Revisions that are not there and were not compacted away.
    pub gaps: Faults,
    seen: Keys,
    /// The row that was taken last: its revision is to be later than that of the next.
    later: Option<Revision>,
}

impl Keyspace {
    /// Before the first row.
    #[must_use]
    pub fn new(hash_kv: HashKv, resources: Resources) -> Self {
        Self {
            hash_kv,
            newest: None,
            rows: 0,
            tombstones: 0,
            live: 0,
            resources,
            faults: Faults::default(),
            gaps: Faults::default(),
            seen: Keys::default(),
            later: None,
        }
    }

    /// Takes a leaf; `status` is the hash over all buckets.
    pub fn take(&mut self, leaf: Leaf<'_>, status: &mut Crc) {
        let bytes = leaf.bytes();
        let (mut all, mut counted) = (Run::default(), Run::default());
        for row in leaf.rows_descending() {
            if let Some(run) = all.add(row.place.clone()) {
                status.prepend(Piece::of(&bytes[run]));
            }
            if self.row(&row, bytes)
                && let Some(run) = counted.add(row.place)
            {
                self.hash_kv.prepend(Piece::of(&bytes[run]));
            }
        }
        let same = all == counted;
        if let Some(run) = all.take() {
            let piece = Piece::of(&bytes[run]);
            status.prepend(piece);
            if same {
                self.hash_kv.prepend(piece);
                return;
            }
        }
        if let Some(run) = counted.take() {
            self.hash_kv.prepend(Piece::of(&bytes[run]));
        }
    }

    /// After the last row.
    pub fn end(&mut self) {
        if let Some(oldest) = self.later {
            self.gap(oldest, None);
        }
    }

    /// Notes whether something is missing between two rows, or before the oldest.
    ///
    /// A transaction takes the next main revision only if it changes something, and each change of
    /// it the next sub revision. So above the point of compaction none can be missing.
    fn gap(&mut self, later: Revision, earlier: Option<Revision>) {
        let compacted = self.hash_kv.compacted();
        if later.main <= compacted {
            return;
        }
        // A store begins at revision 1, without a row.
        let floor = compacted.max(1);
        let earlier = earlier.filter(|it| it.main > compacted);
        let follows = match earlier {
            Some(it) if it.main == later.main => it.sub + 1 == later.sub,
            Some(it) => it.main + 1 == later.main && later.sub == 0,
            None => floor + 1 == later.main && later.sub == 0,
        };
        if !follows && earlier.is_none_or(|it| (it.main, it.sub) != (later.main, later.sub)) {
            let from =
                earlier.map_or_else(|| floor.to_string(), |it| format!("{}.{}", it.main, it.sub));
            self.gaps.add(|| format!("between {from} and {}.{}", later.main, later.sub));
        }
    }

    /// Takes a row; whether it counts for [`HashKv`].
    fn row(&mut self, row: &Row<'_>, bytes: &[u8]) -> bool {
        self.rows += 1;
        let Some(revision) = Revision::decode(row.key).filter(|it| it.main > 0 && !row.bucket)
        else {
            self.faults.add(|| {
                format!(
                    "row key {} is no revision",
                    super::bytes::hex(&row.key[..row.key.len().min(32)])
                )
            });
            return false;
        };
        if self.newest.is_none() {
            self.newest = Some(revision);
        }
        let name = || format!("revision {}.{}", revision.main, revision.sub);
        if let Some(later) = self.later.replace(revision) {
            if (later.main, later.sub) == (revision.main, revision.sub) {
                self.faults.add(|| format!("{} is there twice", name()));
            }
            self.gap(later, Some(revision));
        }
        let Ok(object) = KeyValue::decode(row.value) else {
            self.faults.add(|| format!("{} cannot be decoded", name()));
            return false;
        };
        if let Some(why) = implausible(revision, &object, row.value) {
            self.faults.add(|| format!("{} {why}", name()));
        }
        if revision.tombstone {
            self.tombstones += 1;
        }
        let newest = self.seen.insert(object.key);
        if newest && !revision.tombstone {
            self.live += 1;
            self.resources.take(object.key, object.value);
        }
        if self.hash_kv.undecided() {
            let place = row.place.clone();
            self.hash_kv.note(revision, newest, &bytes[place]);
        }
        self.hash_kv.counts(revision, newest)
    }
}

/// Why etcd would not have written a row that it can read.
fn implausible(revision: Revision, object: &KeyValue<'_>, value: &[u8]) -> Option<&'static str> {
    // `etcdutl snapshot restore --bump-revision` leaves such a row, for good.
    if value.is_empty() && !revision.tombstone {
        return None;
    }
    if object.key.is_empty() {
        return Some("has no key");
    }
    if revision.tombstone {
        return None;
    }
    if object.mod_revision != revision.main {
        return Some("says that it is of another revision");
    }
    let created = (1..=object.mod_revision).contains(&object.create_revision);
    (!created || object.version < 1).then_some("was made after it was written")
}
