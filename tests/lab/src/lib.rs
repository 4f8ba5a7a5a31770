//! x
pub mod audit;
pub mod picture;
pub mod proxy;
pub mod rbac;
