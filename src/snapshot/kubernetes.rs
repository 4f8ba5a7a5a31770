//! What Kubernetes keeps in etcd. PURE.
//!
//! Keys are `<prefix>/<resource>/[<namespace>/]<name>`, with the group between where it is not
//! built in; values are Protocol Buffers behind `k8s\0` (`runtime.Unknown`), JSON for custom
//! resources, or begin with `k8s:enc:` where they are encrypted.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;

use super::{
    protobuf::{bytes_of, number_of},
    verdict::Encryption,
};

/// What the values of built-in resources begin with.
const MAGIC: &[u8] = b"k8s\0";
/// What encrypted values begin with.
const ENCRYPTED: &[u8] = b"k8s:enc:";
/// Different resources that are told apart; a large cluster has some hundreds.
const MOST: usize = 2048;
/// Bytes of a resource's path, and of a provider with its key, that are kept.
const LONGEST: usize = 256;
/// Different keys of one resource that are told apart.
const MOST_KEYS: usize = 8;
/// Directories that hold another level of resources, not objects.
const FOLDERS: [&[u8]; 1] = [b"services"];
/// Resources that every cluster has; they show where the prefix ends.
const LANDMARKS: [&[u8]; 6] =
    [b"/leases/", b"/masterleases/", b"/events/", b"/pods/", b"/minions/", b"/namespaces/"];

/// What comes before the resource in a key of Kubernetes, such as `/registry`.
#[must_use]
pub fn prefix<'k>(key: &'k [u8], value: &[u8]) -> Option<&'k [u8]> {
    let of_kubernetes = value.starts_with(MAGIC) || value.starts_with(ENCRYPTED);
    if !of_kubernetes || !key.starts_with(b"/") {
        return None;
    }
    let ends = LANDMARKS.iter().filter_map(|mark| find(key, mark)).min()?;
    (1..LONGEST).contains(&ends).then(|| &key[..ends])
}

fn find(key: &[u8], part: &[u8]) -> Option<usize> {
    key.windows(part.len()).position(|window| window == part)
}

/// The part of a key that says the resource: with `/registry`, `/registry/apps.example/widgets` of
/// `/registry/apps.example/widgets/shop/one`. None if the key is not of that form.
fn path<'k>(key: &'k [u8], prefix: Option<&[u8]>) -> Option<&'k [u8]> {
    let slash = |from: usize| {
        let rest = key.get(from..)?;
        rest.iter().position(|byte| *byte == b'/').map(|at| from + at)
    };
    let known = prefix.filter(|prefix| {
        key.starts_with(prefix) && key.get(prefix.len()).is_some_and(|byte| *byte == b'/')
    });
    let start = match known {
        Some(prefix) => prefix.len() + 1,
        None if key.first() == Some(&b'/') => slash(1)? + 1,
        None => return None,
    };
    let mut end = slash(start)?;
    let segment = &key[start..end];
    if segment.contains(&b'.') || FOLDERS.contains(&segment) {
        end = slash(end + 1)?;
    }
    (end > start && end <= LONGEST).then(|| &key[..end])
}

/// The name of a resource, `widgets.apps.example`, from its path.
fn name(path: &[u8], prefix: Option<&[u8]>) -> String {
    let path = String::from_utf8_lossy(path);
    let prefix = prefix.map(String::from_utf8_lossy);
    let rest = prefix.as_deref().and_then(|prefix| path.strip_prefix(prefix));
    let rest = rest.and_then(|rest| rest.strip_prefix('/'));
    let rest = rest.or_else(|| path.get(1..).and_then(|it| it.split_once('/')).map(|it| it.1));
    match rest.unwrap_or(&path).split_once('/') {
        Some(("services", "specs")) => "services".to_owned(),
        Some(("services", other)) => other.to_owned(),
        Some((group, resource)) => format!("{resource}.{group}"),
        // Kubernetes kept the name that nodes had in its first days.
        None if rest == Some("minions") => "nodes".to_owned(),
        None => rest.unwrap_or(&path).to_owned(),
    }
}

/// Objects of one resource.
#[derive(Debug)]
struct Resource {
    path: Vec<u8>,
    objects: u64,
    encrypted: Vec<(Vec<u8>, u64)>,
}

/// Objects by resource.
#[derive(Debug, Default)]
pub struct Resources {
    prefix: Option<Vec<u8>>,
    all: Vec<Resource>,
    by_path: HashMap<Vec<u8>, usize>,
    last: usize,
    others: u64,
    newest_lease: Option<Timestamp>,
    kube_system: Option<String>,
}

impl Resources {
    /// None yet. `prefix` is what comes before the resource; without it, a key's first part.
    #[must_use]
    pub fn new(prefix: Option<Vec<u8>>) -> Self {
        Self { prefix, ..Self::default() }
    }

    /// Takes an object that lives.
    pub fn take(&mut self, key: &[u8], value: &[u8]) {
        let Some(resource) = self.resource(key) else {
            self.others += 1;
            return;
        };
        resource.objects += 1;
        if let Some(rest) = value.strip_prefix(ENCRYPTED) {
            let provider = provider(rest);
            let known = resource.encrypted.iter().position(|(known, _)| known == provider);
            match known {
                Some(at) => resource.encrypted[at].1 += 1,
                None if resource.encrypted.len() < MOST_KEYS => {
                    resource.encrypted.push((provider.to_vec(), 1));
                }
                None => {}
            }
        } else if resource.path.ends_with(b"/leases") {
            self.newest_lease = self.newest_lease.max(renewed(value));
        } else if key.ends_with(b"/namespaces/kube-system") {
            self.kube_system = uid(value);
        }
    }

    fn resource(&mut self, key: &[u8]) -> Option<&mut Resource> {
        let path = path(key, self.prefix.as_deref())?;
        if self.all.get(self.last).is_none_or(|last| last.path != path) {
            self.last = match self.by_path.get(path) {
                Some(index) => *index,
                None if self.all.len() < MOST => {
                    self.by_path.insert(path.to_vec(), self.all.len());
                    self.all.push(Resource { path: path.to_vec(), objects: 0, encrypted: vec![] });
                    self.all.len() - 1
                }
                None => return None,
            };
        }
        self.all.get_mut(self.last)
    }

    /// How many objects live, by resource.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<String, u64> {
        let mut counts = BTreeMap::new();
        for resource in &self.all {
            *counts.entry(name(&resource.path, self.prefix.as_deref())).or_default() +=
                resource.objects;
        }
        counts
    }

    /// Keys that live and say no resource.
    #[must_use]
    pub fn others(&self) -> u64 {
        self.others
    }

    /// What objects are encrypted with.
    #[must_use]
    pub fn encryption(&self) -> Vec<Encryption> {
        let mut all = Vec::new();
        for resource in &self.all {
            for (provider, objects) in &resource.encrypted {
                let provider = String::from_utf8_lossy(provider);
                let (provider, key) = provider.rsplit_once(':').unwrap_or((&provider, ""));
                all.push(Encryption {
                    resource: name(&resource.path, self.prefix.as_deref()),
                    provider: provider.to_owned(),
                    key: key.to_owned(),
                    objects: *objects,
                });
            }
        }
        all.sort_by(|a, b| {
            (&a.resource, &a.provider, &a.key).cmp(&(&b.resource, &b.provider, &b.key))
        });
        all
    }

    /// Resources of which some objects are encrypted and some are not.
    #[must_use]
    pub fn half_encrypted(&self) -> Vec<String> {
        let half = |resource: &&Resource| {
            let encrypted: u64 = resource.encrypted.iter().map(|(_, objects)| objects).sum();
            encrypted > 0 && encrypted < resource.objects
        };
        let name = |resource: &Resource| name(&resource.path, self.prefix.as_deref());
        self.all.iter().filter(half).map(name).collect()
    }

    /// The newest renewal of a Lease.
    #[must_use]
    pub fn newest_lease(&self) -> Option<Timestamp> {
        self.newest_lease
    }

    /// The UID of the namespace kube-system.
    #[must_use]
    pub fn kube_system(&self) -> Option<&str> {
        self.kube_system.as_deref()
    }
}

/// `aescbc:v1:key1` of `aescbc:v1:key1:...`.
fn provider(rest: &[u8]) -> &[u8] {
    let mut ends = rest.iter().take(LONGEST).enumerate().filter(|(_, byte)| **byte == b':');
    ends.nth(2).map_or(&rest[..rest.len().min(20)], |(end, _)| &rest[..end])
}

/// The object inside of `runtime.Unknown`.
fn raw(value: &[u8]) -> Option<&[u8]> {
    bytes_of(value.strip_prefix(MAGIC)?, 2)
}

/// When a Lease was renewed: `spec.renewTime`.
#[must_use]
pub fn renewed(value: &[u8]) -> Option<Timestamp> {
    let time = bytes_of(bytes_of(raw(value)?, 2)?, 4)?;
    let seconds = number_of(time, 1)?.cast_signed();
    let nanos = number_of(time, 2).unwrap_or(0);
    Timestamp::new(seconds, i32::try_from(nanos).ok()?).ok()
}

/// `metadata.uid` of an object.
fn uid(value: &[u8]) -> Option<String> {
    let uid = bytes_of(bytes_of(raw(value)?, 1)?, 5)?;
    (uid.len() <= 64).then(|| String::from_utf8_lossy(uid).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_say_their_resource() {
        let cases: [(&str, Option<&str>, Option<&str>); 12] = [
            ("/registry/pods/shop/web-1", None, Some("pods")),
            ("/registry/minions/node-1", None, Some("nodes")),
            ("/registry/services/specs/shop/web", None, Some("services")),
            ("/registry/services/endpoints/shop/web", None, Some("endpoints")),
            ("/registry/apps.example/widgets/shop/one", None, Some("widgets.apps.example")),
            ("/kubernetes.io/secrets/shop/tls", None, Some("secrets")),
            ("/registry/ranges/serviceips", None, Some("ranges")),
            ("/a/b/secrets/shop/tls", Some("/a/b"), Some("secrets")),
            ("/a/bc/secrets/shop/tls", Some("/a/b"), Some("bc")),
            ("compact_rev_key", None, None),
            ("/registry/health", None, None),
            ("/bootstrap/0123", Some("/registry"), None),
        ];
        for (key, prefix, wanted) in cases {
            let prefix = prefix.map(str::as_bytes);
            let got = path(key.as_bytes(), prefix).map(|path| name(path, prefix));
            assert_eq!(got.as_deref(), wanted, "{key}");
        }
    }

    #[test]
    fn the_prefix_ends_before_a_resource_that_every_cluster_has() {
        let found = |key: &'static str, value: &[u8]| {
            prefix(key.as_bytes(), value).map(|it| String::from_utf8_lossy(it).into_owned())
        };
        assert_eq!(found("/registry/leases/a/b", b"k8s\0x").as_deref(), Some("/registry"));
        assert_eq!(found("/a/b/namespaces/pods/", b"k8s:enc:x").as_deref(), Some("/a/b"));
        assert_eq!(found("/registry/leases/a/b", b"plain"), None);
        assert_eq!(found("/leases/a/b", b"k8s\0"), None);
    }

    #[test]
    fn what_objects_are_encrypted_with_and_which_are_not() {
        let mut resources = Resources::new(None);
        for (n, value) in ["k8s:enc:aescbc:v1:key1:..", "k8s:enc:kms:v2:cloud:..", "k8s\0"]
            .into_iter()
            .enumerate()
        {
            resources.take(format!("/registry/secrets/shop/{n}").as_bytes(), value.as_bytes());
        }
        resources.take(b"/registry/configmaps/shop/a", b"k8s\0");
        resources.take(b"/registry/secrets/shop/cut", b"k8s:enc:aesgcm");
        let seen: Vec<_> = resources
            .encryption()
            .into_iter()
            .map(|it| format!("{} {} {} {}", it.resource, it.provider, it.key, it.objects))
            .collect();
        assert_eq!(
            seen,
            ["secrets aescbc:v1 key1 1", "secrets aesgcm  1", "secrets kms:v2 cloud 1"]
        );
        assert_eq!(resources.half_encrypted(), ["secrets"]);
        assert_eq!(resources.counts().get("secrets"), Some(&4));
    }

    #[test]
    fn a_lease_says_when_it_was_renewed() {
        // MicroTime{seconds: 1_700_000_000, nanos: 5}, in LeaseSpec as field 4, in Lease as field 2.
        let time = [0x08, 0x80, 0xe2, 0xcf, 0xaa, 0x06, 0x10, 0x05];
        let spec = [&[0x22, 8][..], &time].concat();
        let lease = [&[0x12, 10][..], &spec].concat();
        let value = [b"k8s\0".as_slice(), &[0x12, 12], &lease].concat();
        let at = renewed(&value).expect("a time");
        assert_eq!((at.as_second(), at.subsec_nanosecond()), (1_700_000_000, 5));
        assert_eq!(renewed(&value[..value.len() - 1]), None);
        assert_eq!(renewed(b"{}"), None);
    }
}
