//! `etcdSnapshot`: whether the newest etcd snapshot of a store could be used.

pub mod fields;
pub mod spec;

pub use spec::Spec;
