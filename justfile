# The commands of the house; `.ci/run` needs no just.

[private]
default:
    @just --list

# Everything that has to hold before a change is taken
ci *stages:
    .ci/run {{ stages }}

# Format all sources
fmt:
    cargo fmt --all

# Accept the golden files that tests have written
golden:
    INSTA_UPDATE=always cargo test --workspace

# Write the JSON Schemas and the reference pages anew, from the field tables
schema:
    FIREDRILL_WRITE=1 cargo test -p firedrill --test schema

# Fuzz one of drill, config, cron; needs a nightly toolchain and a C++ compiler
fuzz target seconds='600':
    mkdir -p target/fuzz/{{ target }}
    cargo +nightly fuzz run --fuzz-dir tests/fuzz --sanitizer none --target-dir target/fuzz/build {{ target }} \
        target/fuzz/{{ target }} tests/fuzz/seeds/{{ target }} {{ if target == "cron" { "" } else { "tests/bad" } }} -- \
        -max_total_time={{ seconds }} -rss_limit_mb=1024 -timeout=10 \
        -dict=tests/fuzz/{{ if target == "cron" { "cron" } else { "language" } }}.dict

# Known vulnerabilities; needs the network, so it is no part of ci
advisories:
    cargo deny check advisories

# Run a drill against a lab
drill *file:
    cargo lab drill {{ file }}

# Measure firedrill beside something else, as whole processes in release
bench name='validate':
    cargo lab bench {{ name }}

# Everything, by hand: ci, and every crash point and held write of both drills (hours)
prove: ci
    cargo lab crash shop --all
    cargo lab crash node --all
