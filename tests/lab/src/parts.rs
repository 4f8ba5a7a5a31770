//! The lab's parts: which Go modules, which versions, which flags, and where their binaries are
//! kept between runs.

mod build;
mod toolchain;

use std::{
    env,
    path::{Path, PathBuf},
};

use anyhow::{Context, anyhow};
use sha2::{Digest, Sha256};

pub use build::{build_all, ensure, ensure_part};
pub use toolchain::{Problem, require_c_compiler};

/// Version of Kubernetes; go.mod says the same, and a test compares them.
pub const KUBERNETES: &str = "1.36.3";
/// Version of Velero; go.mod says the same.
pub const VELERO: &str = "1.18.3";
/// Version of Prometheus; its module counts v3.16.0 as v0.316.0.
pub const PROMETHEUS: &str = "3.16.0";

/// One Go module of tools.
#[derive(Debug)]
pub struct Part {
    /// Its folder under `tests/lab/parts`, and its name.
    pub name: &'static str,
    go_mod: &'static str,
    go_sum: &'static str,
    /// Binaries: as the Go command names them, and as they are called here.
    tools: &'static [(&'static str, &'static str)],
    /// Linker flags beyond `-s -w`.
    ldflags: &'static [&'static str],
    /// Build tags.
    tags: &'static [&'static str],
    /// Whether it is built only when something asks for it by name.
    on_request: bool,
    /// What is kept beside the binaries.
    extras: &'static [Extra],
    /// How long the first build takes on two cores, as people say it.
    first_build: &'static str,
}

/// A file that is made at build time and kept beside a part's binaries.
#[derive(Debug)]
enum Extra {
    /// The output of one of the part's own tools.
    Output { file: &'static str, tool: &'static str, args: &'static [&'static str] },
    /// Files of the module's source, one after the other as YAML documents.
    Concat { file: &'static str, module: &'static str, sources: &'static [&'static str] },
}

impl Extra {
    fn file(&self) -> &'static str {
        match self {
            Self::Output { file, .. } | Self::Concat { file, .. } => file,
        }
    }
}

macro_rules! module {
    ($name:literal) => {
        (
            include_str!(concat!("../parts/", $name, "/go.mod")),
            include_str!(concat!("../parts/", $name, "/go.sum")),
        )
    };
}

const fn part(
    name: &'static str,
    (go_mod, go_sum): (&'static str, &'static str),
    tools: &'static [(&'static str, &'static str)],
    first_build: &'static str,
) -> Part {
    Part {
        name,
        go_mod,
        go_sum,
        tools,
        ldflags: &[],
        tags: &[],
        on_request: false,
        extras: &[],
        first_build,
    }
}

/// All parts, the quickest to build first.
pub static PARTS: [Part; 7] = [
    part(
        "etcd",
        module!("etcd"),
        // The server's command is the root of its module, hence its name.
        &[("server", "etcd"), ("etcdctl", "etcdctl"), ("etcdutl", "etcdutl")],
        "half a minute",
    ),
    part("versitygw", module!("versitygw"), &[("versitygw", "versitygw")], "1 min"),
    Part {
        extras: &[Extra::Concat {
            file: "stages.yaml",
            module: "sigs.k8s.io/kwok",
            sources: &[
                "kustomize/stage/node/fast/node-initialize.yaml",
                "kustomize/stage/node/heartbeat-with-lease/node-heartbeat-with-lease.yaml",
                "kustomize/stage/pod/general/pod-create.yaml",
                "kustomize/stage/pod/general/pod-init-container-running.yaml",
                "kustomize/stage/pod/general/pod-init-container-completed.yaml",
                "kustomize/stage/pod/general/pod-ready.yaml",
                "kustomize/stage/pod/general/pod-complete.yaml",
                "kustomize/stage/pod/general/pod-delete.yaml",
            ],
        }],
        ..part("kwok", module!("kwok"), &[("kwok", "kwok")], "1.5 min")
    },
    part(
        "velero-plugin-for-aws",
        module!("velero-plugin-for-aws"),
        &[("velero-plugin-for-aws", "velero-plugin-for-aws")],
        "2 min",
    ),
    Part {
        ldflags: &[
            "-X github.com/vmware-tanzu/velero/pkg/buildinfo.Version=v1.18.3",
            // Velero has a flag for its own metrics, none for those of controller-runtime, which
            // listen on port 8080 of every interface: not on loopback, and in one lab at a time.
            "-X sigs.k8s.io/controller-runtime/pkg/metrics/server.DefaultBindAddress=0",
        ],
        extras: &[Extra::Output {
            file: "crds.yaml",
            tool: "velero",
            args: &["install", "--crds-only", "--dry-run", "-o", "yaml"],
        }],
        ..part("velero", module!("velero"), &[("velero", "velero")], "3 min")
    },
    Part {
        // Without these the server calls itself v0.0.0.
        ldflags: &[
            "-X k8s.io/component-base/version.gitVersion=v1.36.3",
            "-X k8s.io/component-base/version.gitMajor=1",
            "-X k8s.io/component-base/version.gitMinor=36",
        ],
        ..part(
            "kubernetes",
            module!("kubernetes"),
            &[
                ("kube-apiserver", "kube-apiserver"),
                ("kube-controller-manager", "kube-controller-manager"),
                ("kube-scheduler", "kube-scheduler"),
            ],
            "6 min",
        )
    },
    Part {
        // Without service discovery in clouds, whose client libraries are most of what would be
        // compiled; and without the files of its page: the API is what is asked.
        tags: &["remove_all_sd"],
        ldflags: &["-X github.com/prometheus/common/version.Version=3.16.0"],
        on_request: true,
        ..part("prometheus", module!("prometheus"), &[("prometheus", "prometheus")], "3 min")
    },
];

impl Part {
    /// SHA-256 over everything that decides what comes out: module files, flags, names, extras.
    /// 12 hexadecimal digits.
    #[must_use]
    pub fn hash(&self) -> String {
        let mut hash = Sha256::new();
        let recipe = format!("{:?} {:?} {:?}", self.tools, self.ldflags(), self.extras);
        let tags = self.tags.join(",");
        let tags = (!tags.is_empty()).then_some(tags.as_str());
        for field in [self.go_mod, self.go_sum, &recipe].into_iter().chain(tags) {
            // With lengths, so that text cannot move from one field to the next unseen.
            hash.update(field.len().to_be_bytes());
            hash.update(field);
        }
        hash.finalize().iter().take(6).map(|byte| format!("{byte:02x}")).collect()
    }

    fn folder(&self, cache: &Path) -> PathBuf {
        cache.join(format!("{}-{}", self.name, self.hash()))
    }

    fn ldflags(&self) -> String {
        [&["-s -w"], self.ldflags].concat().join(" ")
    }
}

/// Where the binaries of the lab are.
#[derive(Clone, Debug)]
pub struct Binaries {
    cache: PathBuf,
}

impl Binaries {
    /// The file `name`, a tool or an extra of one of the parts.
    ///
    /// # Panics
    /// When no part has such a file: an error in the lab's code.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        let part = PARTS
            .iter()
            .find(|part| {
                part.tools.iter().any(|(_, tool)| *tool == name)
                    || part.extras.iter().any(|extra| extra.file() == name)
            })
            .unwrap_or_else(|| panic!("no part of the lab has a file {name}"));
        part.folder(&self.cache).join(name)
    }
}

/// The folder that keeps binaries: `$FIREDRILL_LAB_CACHE`, else `firedrill/lab` in
/// `$XDG_CACHE_HOME` or `~/.cache`. Outside the checkout, so that all checkouts share it.
///
/// # Errors
/// When none of the three variables is set.
pub fn cache_folder() -> anyhow::Result<PathBuf> {
    let var = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let folder = var("FIREDRILL_LAB_CACHE")
        .or_else(|| var("XDG_CACHE_HOME").map(|dir| dir.join("firedrill/lab")))
        .or_else(|| var("HOME").map(|dir| dir.join(".cache/firedrill/lab")))
        .ok_or_else(|| anyhow!("set FIREDRILL_LAB_CACHE: there is no HOME to keep the lab in"))?;
    std::path::absolute(&folder).with_context(|| folder.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_hash_changes_with_each_of_its_inputs() {
        let base = || Part {
            go_mod: "module a",
            go_sum: "b",
            ..part("etcd", ("", ""), &[("server", "etcd")], "")
        };
        let hashes: BTreeSet<String> = [
            base(),
            Part { go_mod: "module ab", go_sum: "", ..base() },
            Part { go_sum: "c", ..base() },
            Part { ldflags: &["-X a=b"], ..base() },
            Part { tags: &["a"], ..base() },
            Part { tools: &[("server", "server")], ..base() },
            Part {
                extras: &[Extra::Output { file: "f", tool: "etcd", args: &["--version"] }],
                ..base()
            },
        ]
        .iter()
        .map(Part::hash)
        .collect();
        assert_eq!(hashes.len(), 7);
        assert_eq!(base().hash(), base().hash());
        assert_eq!(base().hash().len(), 12);
    }

    #[test]
    fn versions_in_flags_are_those_of_the_modules() {
        let part = |name: &str| PARTS.iter().find(|part| part.name == name).unwrap();
        for (name, module, version) in [
            ("kubernetes", "k8s.io/kubernetes", KUBERNETES),
            ("velero", "github.com/vmware-tanzu/velero", VELERO),
        ] {
            let part = part(name);
            assert!(part.go_mod.contains(&format!("{module} v{version}")), "{name}: go.mod");
            assert!(part.ldflags().contains(&format!("ersion=v{version}")), "{name}: flags");
        }
        let (prometheus, version) = (part("prometheus"), PROMETHEUS);
        let module =
            format!("github.com/prometheus/prometheus v0.{}", version.replacen("3.", "3", 1));
        assert!(prometheus.go_mod.contains(&module), "{module}");
        assert!(prometheus.ldflags().ends_with(&format!("Version={version}")));
    }

    #[test]
    fn no_two_files_share_a_name() {
        let mut names: Vec<&str> = PARTS
            .iter()
            .flat_map(|part| part.tools.iter().map(|(_, tool)| *tool))
            .chain(PARTS.iter().flat_map(|part| part.extras.iter().map(Extra::file)))
            .collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
    }
}
