//! Values as Kubernetes writes them: Protocol Buffers behind `k8s\0`.

/// A field of bytes.
fn bytes(number: u8, content: &[u8]) -> Vec<u8> {
    let mut field = vec![number << 3 | 2];
    varint(content.len() as u64, &mut field);
    field.extend_from_slice(content);
    field
}

/// A field of a number.
fn number(field: u8, value: u64) -> Vec<u8> {
    let mut bytes = vec![field << 3];
    varint(value, &mut bytes);
    bytes
}

fn varint(mut value: u64, to: &mut Vec<u8>) {
    while value >= 0x80 {
        to.push(u8::try_from(value & 0x7f).unwrap_or(0) | 0x80);
        value >>= 7;
    }
    to.push(u8::try_from(value).unwrap_or(0));
}

/// `runtime.Unknown` around an object.
fn unknown(version: &str, kind: &str, object: &[u8]) -> Vec<u8> {
    let meta = [bytes(1, version.as_bytes()), bytes(2, kind.as_bytes())].concat();
    [b"k8s\0".to_vec(), bytes(1, &meta), bytes(2, object)].concat()
}

/// `metadata` with a name, a namespace and a UID.
fn meta(name: &str, namespace: &str, uid: &str) -> Vec<u8> {
    let fields = [(1, name), (3, namespace), (5, uid)];
    bytes(1, &fields.map(|(n, text)| bytes(n, text.as_bytes())).concat())
}

/// An object that is nothing but its metadata and `padding` bytes.
#[must_use]
pub fn plain(kind: &str, namespace: &str, name: &str, padding: usize) -> Vec<u8> {
    let object = [meta(name, namespace, "u"), bytes(2, &vec![b'.'; padding])].concat();
    unknown("v1", kind, &object)
}

/// A namespace.
#[must_use]
pub fn namespace(name: &str, uid: &str) -> Vec<u8> {
    unknown("v1", "Namespace", &meta(name, "", uid))
}

/// A Lease that was renewed at `seconds` since 1970.
#[must_use]
pub fn lease(name: &str, seconds: u64) -> Vec<u8> {
    let time = [number(1, seconds), number(2, 1000)].concat();
    let spec = [bytes(1, name.as_bytes()), number(2, 40), bytes(4, &time)].concat();
    let object = [meta(name, "kube-node-lease", "u"), bytes(2, &spec)].concat();
    unknown("coordination.k8s.io/v1", "Lease", &object)
}
