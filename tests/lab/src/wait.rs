//! Waiting for something to become true, within a bound.

use std::time::{Duration, Instant};

use anyhow::bail;

/// Asks every 100 ms until the answer is yes. Errors count as no, and the last is told.
///
/// # Errors
/// When `limit` passes.
pub async fn until<F: Future<Output = anyhow::Result<bool>>>(
    what: &str,
    limit: Duration,
    holds: impl Fn() -> F,
) -> anyhow::Result<()> {
    let end = Instant::now() + limit;
    loop {
        let last = match holds().await {
            Ok(true) => return Ok(()),
            Ok(false) => None,
            Err(error) => Some(error),
        };
        if Instant::now() > end {
            match last {
                Some(error) => {
                    return Err(
                        error.context(format!("after {} s still not: {what}", limit.as_secs()))
                    );
                }
                None => bail!("after {} s still not: {what}", limit.as_secs()),
            }
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
