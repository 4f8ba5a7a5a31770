//! Opens a connection. ACT.

use std::time::Duration;

use tokio::net::TcpStream;

use super::{Asker, Red};
use crate::{check::TcpCheck, world::forward};

impl Asker {
    pub(super) async fn tcp(&self, check: &TcpCheck, timeout: Duration) -> Result<(), Red> {
        match check {
            TcpCheck::Host { host, port } => {
                // Every address of a name is tried in turn, as any client does.
                match TcpStream::connect((host.as_str(), *port)).await {
                    Ok(_) => Ok(()),
                    Err(error) => {
                        Err(Red::because(format!("{host}:{port} cannot be reached: {error}")))
                    }
                }
            }
            TcpCheck::Within(within) => {
                let place = self.place(within)?;
                let cluster = self.cluster(&self.own)?;
                forward::connects(cluster, &place, self.next_turn(), timeout)
                    .await
                    .map(|_| ())
                    .map_err(|error| Red::because(error.to_string()))
            }
        }
    }
}
