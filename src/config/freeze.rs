//! Freezes: times in which nothing may start. PURE.

use jiff::Timestamp;

use super::Config;
use crate::schedule::{self, Until};

/// A freeze of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Freeze {
    /// When it holds.
    pub window: schedule::Freeze,
    /// The clusters that are frozen; none = all.
    pub clusters: Option<Vec<String>>,
    /// One sentence for whoever is refused.
    pub reason: Option<String>,
}

/// That a cluster is frozen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frozen<'c> {
    /// The cluster.
    pub cluster: &'c str,
    /// The freeze's name.
    pub name: &'c str,
    /// Its reason.
    pub reason: Option<&'c str>,
    /// Until when, as far as this freeze goes.
    pub until: Until,
}

/// Every freeze that a cluster is in at an instant, the longest first.
#[must_use]
pub fn frozen<'c>(config: &'c Config, cluster: &'c str, at: Timestamp) -> Vec<Frozen<'c>> {
    let mut all: Vec<Frozen<'c>> = config
        .freezes
        .iter()
        .filter(|(_, freeze)| {
            freeze.clusters.as_ref().is_none_or(|names| names.iter().any(|name| name == cluster))
        })
        .filter_map(|(name, freeze)| {
            let until = freeze.window.frozen(at)?;
            Some(Frozen { cluster, name, reason: freeze.reason.as_deref(), until })
        })
        .collect();
    all.sort_by_key(|frozen| std::cmp::Reverse(end(frozen.until)));
    all
}

fn end(until: Until) -> Timestamp {
    match until {
        Until::Instant(at) | Until::After(at) => at,
    }
}

impl std::fmt::Display for Frozen<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let until = match self.until {
            Until::Instant(at) => format!("until {at}"),
            Until::After(at) => format!("beyond {at}"),
        };
        write!(f, "cluster {} is frozen {until} by `{}`", self.cluster, self.name)?;
        match self.reason {
            Some(reason) => write!(f, ": {}", reason.trim_end_matches('.')),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn config(freezes: &str) -> Config {
        let text = format!(
            "apiVersion: firedrill.dev/v1alpha1\nkind: Configuration\ninstance: lab\n\
             clusters:\n  lab: {{kubeconfig: k}}\n  other: {{kubeconfig: o}}\nfreezes:\n{freezes}"
        );
        let (config, problems) = crate::config::parse(Path::new("/etc/firedrill.yaml"), &text);
        config.unwrap_or_else(|| panic!("{problems:?}"))
    }

    fn told(config: &Config, cluster: &str, at: &str) -> Vec<String> {
        let at = at.parse().expect("an instant");
        frozen(config, cluster, at).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_freeze_holds_for_its_clusters_and_its_time() {
        let config = config(
            "  end-of-year:\n    cron: '0 0 20 12 *'\n    duration: 168h\n    timeZone: Europe/Berlin\n    \
             clusters: [lab]\n    reason: No changes.\n  nights: {cron: '0 22 * * *', duration: 8h}\n",
        );
        assert_eq!(
            told(&config, "lab", "2026-12-20T12:00:00Z"),
            ["cluster lab is frozen until 2026-12-26T23:00:00Z by `end-of-year`: No changes"]
        );
        assert_eq!(
            told(&config, "lab", "2026-12-20T23:00:00Z"),
            [
                "cluster lab is frozen until 2026-12-26T23:00:00Z by `end-of-year`: No changes",
                "cluster lab is frozen until 2026-12-21T06:00:00Z by `nights`"
            ]
        );
        assert_eq!(told(&config, "other", "2026-12-20T12:00:00Z"), [""; 0]);
        assert_eq!(told(&config, "lab", "2026-12-19T21:59:59Z"), [""; 0]);
        // The end is not in it.
        assert_eq!(told(&config, "lab", "2026-12-26T23:00:00Z").len(), 1);
    }

    #[test]
    fn windows_without_a_break_have_no_end() {
        let config = config("  always: {cron: '@hourly', duration: 1h}\n");
        let told = told(&config, "other", "2026-12-20T12:30:00Z");
        assert_eq!(told, ["cluster other is frozen beyond 2028-01-24T12:30:00Z by `always`"]);
    }
}
