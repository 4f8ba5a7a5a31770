//! The small buckets of etcd: what a member knows beside its keys. PURE.
//!
//! Format: etcd `server/storage/schema`. etcd ends at its start when one of these rows cannot be
//! decoded, so each is held against its format.

use serde::Deserialize;

use super::{
    bytes::be_u64,
    faults::Faults,
    protobuf::{Fields, Value, well_formed},
    revision::Revision,
    verdict::{Alarm, Member},
};

/// Members and alarms that are kept; a cluster has at most a few of either.
const MOST: usize = 100;
/// Bytes of a member, which becomes many small strings.
const MEMBER: usize = 64 << 10;
/// Bytes of a version or a name that are kept.
const TEXT: usize = 200;

/// What the small buckets say.
#[derive(Debug, Default)]
pub struct Records {
    /// The Raft index up to which the database is applied.
    pub consistent_index: Option<u64>,
    /// The Raft term.
    pub term: Option<u64>,
    /// The point of the last compaction that was asked for.
    pub scheduled: Option<i64>,
    /// The point of the last compaction that was done.
    pub finished: Option<i64>,
    /// The storage schema's version.
    pub storage_version: Option<String>,
    /// The cluster's version.
    pub cluster_version: Option<String>,
    /// The cluster's members.
    pub members: Vec<Member>,
    /// Alarms that are on.
    pub alarms: Vec<Alarm>,
    /// Whether authentication is on.
    pub auth: bool,
    /// How many leases there are.
    pub leases: u64,
    /// Rows that etcd could not read.
    pub faults: Faults,
}

/// A member as etcd writes it, in JSON.
#[derive(Deserialize)]
struct RawMember {
    #[serde(default)]
    name: String,
    #[serde(rename = "peerURLs", default)]
    peer_urls: Option<Vec<String>>,
    #[serde(rename = "clientURLs", default)]
    client_urls: Option<Vec<String>>,
}

impl Records {
    /// How far the member had compacted, as it says itself: a compaction counts as soon as it is
    /// asked for.
    #[must_use]
    pub fn compacted(&self) -> Option<i64> {
        self.scheduled.max(self.finished)
    }

    /// A compaction was asked for and not done.
    #[must_use]
    pub fn compacting(&self) -> bool {
        self.scheduled > self.finished
    }

    /// Takes a row of the bucket `bucket`; rows of others are passed over.
    pub fn take(&mut self, bucket: &[u8], key: &[u8], value: &[u8]) {
        let taken = match bucket {
            b"meta" => self.meta(key, value),
            b"cluster" => self.cluster(key, value),
            b"members" => self.member(key, value),
            b"alarm" => self.alarm(key),
            b"lease" => self.lease(key, value),
            b"auth" => self.auth(key, value),
            b"authUsers" | b"authRoles" => well_formed(value).then_some(()),
            _ => Some(()),
        };
        if taken.is_none() {
            self.faults.add(|| {
                let name = String::from_utf8_lossy(&key[..key.len().min(TEXT)]).into_owned();
                format!("bucket {}, row {name}", String::from_utf8_lossy(bucket))
            });
        }
    }

    fn meta(&mut self, key: &[u8], value: &[u8]) -> Option<()> {
        match key {
            b"consistent_index" => self.consistent_index = Some(be_u64(value)?),
            b"term" => self.term = Some(be_u64(value)?),
            b"scheduledCompactRev" => self.scheduled = Some(Revision::decode(value)?.main),
            b"finishedCompactRev" => self.finished = Some(Revision::decode(value)?.main),
            b"storageVersion" => self.storage_version = Some(text(value)?),
            b"confState" => drop(serde_json::from_slice::<serde::de::IgnoredAny>(value).ok()?),
            _ => {}
        }
        Some(())
    }

    fn cluster(&mut self, key: &[u8], value: &[u8]) -> Option<()> {
        match key {
            b"clusterVersion" => self.cluster_version = Some(text(value)?),
            b"downgrade" => drop(serde_json::from_slice::<serde::de::IgnoredAny>(value).ok()?),
            _ => {}
        }
        Some(())
    }

    fn member(&mut self, key: &[u8], value: &[u8]) -> Option<()> {
        let id = text(key)?;
        u64::from_str_radix(&id, 16).ok()?;
        let value = (value.len() <= MEMBER).then_some(value)?;
        let raw: RawMember = serde_json::from_slice(value).ok()?;
        if self.members.len() < MOST {
            let urls = |urls: Option<Vec<String>>| urls.unwrap_or_default();
            self.members.push(Member {
                id,
                name: raw.name,
                peer_urls: urls(raw.peer_urls),
                client_urls: urls(raw.client_urls),
            });
        }
        Some(())
    }

    fn alarm(&mut self, key: &[u8]) -> Option<()> {
        let (mut member, mut kind) = (0, 0);
        for field in Fields::of(key) {
            match field.ok()? {
                (1, Value::Number(id)) => member = id,
                (2, Value::Number(number)) => kind = number,
                (1 | 2, _) => return None,
                _ => {}
            }
        }
        let alarm = match kind {
            // No alarm: etcd keeps no such row, and passes over it.
            0 => return Some(()),
            1 => "NOSPACE".to_owned(),
            2 => "CORRUPT".to_owned(),
            other => other.to_string(),
        };
        if self.alarms.len() < MOST {
            self.alarms.push(Alarm { member: format!("{member:x}"), alarm });
        }
        Some(())
    }

    fn lease(&mut self, key: &[u8], value: &[u8]) -> Option<()> {
        let id = be_u64(key)?;
        let mut own = 0;
        for field in Fields::of(value) {
            match field.ok()? {
                (1, Value::Number(number)) => own = number,
                (1..=3, Value::Bytes(_) | Value::Fixed) => return None,
                _ => {}
            }
        }
        self.leases += 1;
        (own == id).then_some(())
    }

    fn auth(&mut self, key: &[u8], value: &[u8]) -> Option<()> {
        match key {
            b"authEnabled" => self.auth = value == [1],
            b"authRevision" => drop(be_u64(value)?),
            _ => {}
        }
        Some(())
    }
}

fn text(bytes: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(bytes).ok()?;
    (text.len() <= TEXT).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_say_what_etcd_wrote_and_what_it_could_not_read_is_named() {
        let mut records = Records::default();
        let rev = |main: u64| [&main.to_be_bytes()[..], b"_", &[0; 8]].concat();
        records.take(b"meta", b"consistent_index", &9_u64.to_be_bytes());
        records.take(b"meta", b"scheduledCompactRev", &rev(8));
        records.take(b"meta", b"finishedCompactRev", &rev(5));
        records.take(b"meta", b"storageVersion", b"3.6.0");
        records.take(b"members", b"8e9e05c52164694d", br#"{"id":1,"name":"a","peerURLs":["u"]}"#);
        records.take(b"alarm", &[0x08, 0x0a, 0x10, 0x01], b"");
        records.take(b"alarm", &[0x08, 0x0a, 0x10, 0x02], b"");
        records.take(b"lease", &7_u64.to_be_bytes(), &[0x08, 7, 0x10, 60]);
        records.take(b"auth", b"authEnabled", &[1]);
        records.take(b"authUsers", b"root", &[0x0a, 1, b'r']);
        assert_eq!(records.faults.count(), 0, "{:?}", records.faults);
        assert_eq!((records.compacted(), records.compacting()), (Some(8), true));
        assert_eq!(records.alarms[0], Alarm { member: "a".into(), alarm: "NOSPACE".into() });
        assert_eq!((records.alarms.len(), records.leases, records.auth), (2, 1, true));
        assert_eq!(records.members[0].name, "a");

        let bad: [(&[u8], &[u8], &[u8]); 8] = [
            (b"meta", b"consistent_index", b"short"),
            (b"meta", b"finishedCompactRev", b"short"),
            (b"members", b"not hex", b"{}"),
            (b"members", b"1", b"no json"),
            (b"alarm", &[0x08], b""),
            (b"lease", &[0; 8], &[0x08, 7]),
            (b"authRoles", b"r", &[0xff]),
            (b"cluster", b"clusterVersion", &[0xff]),
        ];
        for (bucket, key, value) in bad {
            let before = records.faults.count();
            records.take(bucket, key, value);
            assert_eq!(records.faults.count(), before + 1, "{key:?}");
        }
        assert_eq!(records.faults.named().len(), 5);
    }
}
