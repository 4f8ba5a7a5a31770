//! What is published of the language: the schemas in config/ and the pages in docs/reference/ are
//! what the field tables say, and the samples keep to them. `just schema` writes them anew.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use firedrill::{
    cli::schema::{Language, text},
    config,
    drill::{
        self, fields, read,
        reference::{Page, page},
        table::{Need, Shape},
    },
};

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Compares a committed file with what it must be; writes it instead, if asked to.
fn published(path: &str, wanted: &str) {
    let path = repository().join(path);
    if std::env::var_os("FIREDRILL_WRITE").is_some() {
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(&path, wanted).expect("written");
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    let differs = found.lines().zip(wanted.lines()).position(|(found, wanted)| found != wanted);
    assert!(
        found == wanted,
        "{} is not what the field tables say (first in line {}): run `just schema`, or \
         `FIREDRILL_WRITE=1 cargo test -p firedrill --test schema`",
        path.display(),
        differs.unwrap_or_else(|| found.lines().count().min(wanted.lines().count())) + 1,
    );
}

#[test]
fn the_published_schemas_are_the_tables() {
    published("config/drill.schema.json", &text(Language::Drill));
    published("config/config.schema.json", &text(Language::Config));
}

#[test]
fn the_reference_pages_are_the_tables() {
    let sample = |path: &str| fs::read_to_string(repository().join(path)).expect("a sample");
    published(
        "docs/reference/drill.md",
        &page(&Page {
            title: "Drills: every key",
            intro: "A drill is a YAML document; a file may hold several. `firedrill validate` says \
                    what is wrong with it, and [drill.schema.json](../../config/drill.schema.json) \
                    (also `firedrill schema drill`) lets an editor say it while you type. This is \
                    [drills/shop-comes-back.yaml](../../drills/shop-comes-back.yaml):",
            sample: &sample("drills/shop-comes-back.yaml"),
            root: &fields::DRILL,
        }),
    );
    published(
        "docs/reference/configuration.md",
        &page(&Page {
            title: "The configuration: every key",
            intro: "The configuration is one YAML document: where to drill, and how much a run may \
                    touch. [config.schema.json](../../config/config.schema.json) (also `firedrill \
                    schema config`) is for editors. This is \
                    [config/firedrill.yaml](../../config/firedrill.yaml):",
            sample: &sample("config/firedrill.yaml"),
            root: &config::fields::CONFIGURATION,
        }),
    );
}

/// The words that a fuzzer puts together: every key, choice, default and example.
#[test]
fn the_fuzzers_dictionary_is_the_tables() {
    let mut words = BTreeSet::new();
    for root in [&fields::DRILL, &config::fields::CONFIGURATION] {
        drill::schema::walk(root, &mut |table| {
            for field in table.fields() {
                words.insert(format!("{}: ", field.name));
                words.extend(field.example.map(str::to_owned));
                if let Need::Default(text) = field.need {
                    words.insert(text.to_owned());
                }
                if let Shape::Choice(choices) = field.shape {
                    words.extend(choices.iter().map(|word| (*word).to_owned()));
                }
            }
        });
    }
    words.remove("");
    words.extend(
        ["---\n", "...\n", "&a ", "*a", "<<: ", "!!str ", "? ", "|\n", ">-\n", "~", "{", "}", "- "]
            .map(str::to_owned),
    );
    let escaped = words.iter().map(|word| {
        let plain = word.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\x0a");
        format!("\"{plain}\"\n")
    });
    let head = "# Made from the field tables by `just schema`. Edits here are lost.\n";
    published("tests/fuzz/language.dict", &format!("{head}{}", escaped.collect::<String>()));
}

/// In an empty folder, without any configuration.
#[test]
fn the_command_prints_what_is_published() {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, language) in [("drill", Language::Drill), ("config", Language::Config)] {
        let output = Command::new(env!("CARGO_BIN_EXE_firedrill"))
            .args(["schema", name])
            .current_dir(folder.path())
            .env_remove("FIREDRILL_CONFIG")
            .output()
            .expect("firedrill");
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
        assert_eq!(String::from_utf8(output.stdout).expect("UTF-8"), text(language));
    }
}

#[test]
fn the_samples_keep_to_the_published_schemas() {
    let mut drills: Vec<PathBuf> = fs::read_dir(repository().join("drills"))
        .expect("drills/")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    drills.sort();
    assert!(drills.len() >= 2);
    for path in drills {
        let text = fs::read_to_string(&path).expect("a sample");
        let editors = "# yaml-language-server: $schema=../config/drill.schema.json\n";
        assert!(text.starts_with(editors), "{}: the first line is for editors", path.display());
        keeps("config/drill.schema.json", &path);
    }
    keeps("config/config.schema.json", &repository().join("config/firedrill.yaml"));
}

fn keeps(schema: &str, path: &Path) {
    let schema = fs::read_to_string(repository().join(schema)).expect("a schema");
    let schema = serde_json::from_str(&schema).expect("JSON");
    let validator = jsonschema::draft7::new(&schema).expect("a schema");
    let (documents, faults) = read::read(&fs::read_to_string(path).expect("a sample"));
    assert!(faults.is_empty() && !documents.is_empty(), "{}", path.display());
    for document in documents {
        let json = serde_json::to_value(&document.root).expect("JSON");
        let errors: Vec<String> = validator
            .iter_errors(&json)
            .map(|it| format!("{}: {it}", it.instance_path()))
            .collect();
        assert_eq!(errors, Vec::<String>::new(), "{}", path.display());
    }
}
