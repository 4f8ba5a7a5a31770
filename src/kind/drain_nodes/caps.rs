//! What the configuration's caps mean for a drain. PURE.

use k8s_openapi::api::core::v1::Node;

use super::candidates::CONTROL_PLANE;
use crate::{config::Caps, kind::words::count};

/// The most nodes that may be cordoned at once: `caps.nodes`, and `caps.share` of the nodes without
/// a control plane. The share is rounded down: a cap is not exceeded by a fraction of a node either.
#[must_use]
pub fn nodes(caps: &Caps, nodes: &[Node]) -> u32 {
    let Some(share) = caps.share else { return caps.nodes };
    let workers = nodes.iter().filter(|node| {
        let labels = node.metadata.labels.as_ref();
        !labels.is_some_and(|labels| CONTROL_PLANE.iter().any(|key| labels.contains_key(*key)))
    });
    let most = workers.count() * usize::from(share) / 100;
    u32::try_from(most).unwrap_or(u32::MAX).min(caps.nodes)
}

/// Whether so many pods may be evicted.
///
/// # Errors
/// One sentence if not.
pub fn pods(caps: &Caps, evicted: usize) -> Result<(), String> {
    match caps.pods {
        Some(most) if evicted > most as usize => Err(format!(
            "{} would be evicted, but the configuration allows {most} (caps.pods)",
            count(evicted, "pod")
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_share_is_of_the_workers_and_rounded_down() {
        let mut all = vec![Node::default(); 7];
        all[0].metadata.labels =
            Some(BTreeMap::from([(CONTROL_PLANE[0].to_owned(), String::new())]));
        let caps = |nodes, share| Caps { nodes, share, ..Caps::default() };
        for (most, share, allowed) in
            [(3, None, 3), (3, Some(50), 3), (3, Some(49), 2), (9, Some(16), 0), (9, Some(100), 6)]
        {
            assert_eq!(nodes(&caps(most, share), &all), allowed, "{most} {share:?}");
        }
        assert_eq!(nodes(&caps(1, Some(100)), &[]), 0);
    }

    #[test]
    fn pods_are_counted() {
        let caps = Caps { pods: Some(1), ..Caps::default() };
        assert_eq!(pods(&caps, 1), Ok(()));
        assert_eq!(
            pods(&caps, 2).expect_err("refused"),
            "2 pods would be evicted, but the configuration allows 1 (caps.pods)"
        );
        assert_eq!(pods(&Caps::default(), 10_000), Ok(()));
    }
}
