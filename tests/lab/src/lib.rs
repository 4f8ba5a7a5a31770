//! The lab: a real Kubernetes, etcd, Velero and S3 on loopback, for firedrill to drill against.
//!
//! Every part is an ordinary Go module, built once and kept in a cache ([`parts`]). Nodes and pods
//! are kwok's: no container runs. A [`Lab`] lives in its own temporary folder, on its own ports,
//! and ends with the program that started it, however that ends ([`guard`]).
//!
//! ```no_run
//! # async fn test() -> anyhow::Result<()> {
//! use lab::{Lab, shop::{Shop, ShopOptions}};
//! let lab = Lab::shared().await?;
//! let shop = Shop::open(lab, &ShopOptions { namespace: lab.unique("shop"), ..Default::default() }).await?;
//! shop.backup().await?;
//! # Ok(())
//! # }
//! ```

pub mod account;
pub mod apply;
pub mod audit;
pub mod background;
pub mod bench;
pub mod control_plane;
pub mod corpus;
pub mod crash;
pub mod drill;
pub mod firedrill;
pub mod guard;
pub mod inside;
pub mod kwok;
mod lab;
mod loopback;
pub mod nodes;
pub mod observer;
pub mod outside;
pub mod parts;
pub mod picture;
pub mod pki;
pub mod ports;
pub mod processes;
pub mod progress;
pub mod prometheus;
pub mod proxy;
pub mod rbac;
pub mod s3;
pub mod shop;
pub mod site;
pub mod velero;
pub mod wait;

pub use lab::{Lab, Options};
