//! The lab: a real Kubernetes, etcd, Velero and S3 on loopback, for firedrill to drill against.
//!
//! Every part is an ordinary Go module, built once and kept in a cache ([`parts`]). Nodes and pods
//! are kwok's: no container runs. A [`Lab`] lives in its own temporary folder, on its own ports,
//! and ends with the program that started it, however that ends ([`guard`]).

pub mod guard;
pub mod parts;
pub mod pki;
pub mod ports;
pub mod processes;
pub mod progress;
