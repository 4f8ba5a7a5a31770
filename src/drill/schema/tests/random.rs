//! Documents made from the tables, mostly legal, with one or another mistake. What the decoder and
//! the schema say of them must agree, in both directions.

use std::path::Path;

use proptest::{
    collection::vec,
    prelude::*,
    test_runner::{Config, TestRunner},
};
use serde_json::{Map, Value as Json, json};

use super::{CONFIGURATIONS, DRILLS, agree};
use crate::{
    config::{self, fields::CONFIGURATION},
    drill::{
        fields::DRILL,
        load,
        table::{Field, Need, Rule, Shape, Table},
    },
};

/// Decisions, one byte for each; after its end every answer is the first one.
struct Tape<'b> {
    bytes: std::slice::Iter<'b, u8>,
    /// In 256: how often a mistake is made.
    mistakes: u8,
}

impl Tape<'_> {
    fn pick(&mut self, of: usize) -> usize {
        self.bytes.next().map_or(0, |byte| usize::from(*byte) % of)
    }

    fn one<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.pick(of.len())].clone()
    }

    fn slips(&mut self) -> bool {
        let limit = self.mistakes;
        self.bytes.next().is_some_and(|byte| *byte < limit)
    }

    fn object(&mut self, table: &'static Table) -> Json {
        let known: Vec<&'static Field> =
            table.fields().filter(|field| !matches!(field.shape, Shape::Later(_))).collect();
        let mut names: Vec<&'static str> = known
            .iter()
            .filter(|field| matches!(field.need, Need::Required) || self.pick(3) == 1)
            .map(|field| field.name)
            .collect();
        self.follow(table, &known, &mut names);
        if self.slips() {
            let name = self.one(&known).name;
            // One too few or one too many.
            match names.iter().position(|known| *known == name) {
                Some(at) => drop(names.remove(at)),
                None => names.push(name),
            }
        }
        let mut map = Map::new();
        for field in known.iter().filter(|field| names.contains(&field.name)) {
            map.insert(field.name.to_owned(), self.value(&field.shape));
        }
        if self.slips() {
            let later = table.fields().find(|field| matches!(field.shape, Shape::Later(_)));
            map.insert(later.map_or("zzz", |field| field.name).to_owned(), json!({}));
        }
        Json::Object(map)
    }

    /// Makes keys go together as the rules want it.
    fn follow(&mut self, table: &Table, known: &[&'static Field], names: &mut Vec<&'static str>) {
        for rule in table.rules.iter().chain(table.rules) {
            match *rule {
                Rule::One(of) | Rule::AtMostOne(of) => {
                    let there = of.iter().filter(|name| names.contains(name)).count();
                    if there == 1 || there == 0 && matches!(rule, Rule::AtMostOne(_)) {
                        continue;
                    }
                    let of: Vec<&'static str> = of
                        .iter()
                        .copied()
                        .filter(|name| known.iter().any(|field| field.name == *name))
                        .collect();
                    let chosen = self.one(&of);
                    names.retain(|name| !of.contains(name));
                    names.push(chosen);
                }
                Rule::Needs(because, others) if names.contains(&because) => {
                    for name in others {
                        if !names.contains(name) {
                            names.push(name);
                        }
                    }
                }
                Rule::NeedsOne(because, others) if names.contains(&because) => {
                    if !others.iter().any(|name| names.contains(name)) {
                        names.push(self.one(others));
                    }
                }
                Rule::Refuses(because, others) if names.contains(&because) => {
                    names.retain(|name| !others.contains(name));
                }
                Rule::Needs(..) | Rule::NeedsOne(..) | Rule::Refuses(..) => {}
            }
        }
    }

    fn value(&mut self, shape: &Shape) -> Json {
        if self.slips() {
            return self.one(&[
                Json::Null,
                json!(true),
                json!(-1),
                json!(7),
                json!(1.5),
                json!(4_000_000_000_u64),
                json!(""),
                json!("5"),
                json!("5x"),
                json!("No Name"),
                json!([]),
                json!([[]]),
                json!({}),
                json!({"zzz": 1}),
                json!("x".repeat(300)),
            ]);
        }
        let names = ["a", "restore", "ready", "s-1", "007x", "b"];
        match *shape {
            Shape::Text | Shape::File => json!(self.one(&["a", "true", "5", "ä: # b", "~"])),
            Shape::TextOrEmpty => json!(self.one(&["", "a/b"])),
            Shape::Name | Shape::Namespace | Shape::Step(_) | Shape::Configured(_) => {
                json!(self.one(&names))
            }
            Shape::ObjectName => json!(self.one(&["a", "widgets.example.com", "a-b.c"])),
            Shape::Choice(words) => json!(self.one(words)),
            Shape::Flag => json!(self.one(&[false, true])),
            Shape::Count(least, most) => json!(self.one(&[least, most, least.midpoint(most)])),
            Shape::CountOrShare(least, most) => {
                self.one(&[json!(least), json!(most), json!("25%"), json!("1%"), json!("100%")])
            }
            Shape::Share => self.one(&[json!("25%"), json!("1%"), json!("100%")]),
            Shape::LabelValue => json!(self.one(&["eu-1a", "A_b.c", "9"])),
            Shape::Number => self.one(&[json!(0), json!(1.5), json!(-3)]),
            Shape::Scalar => self.one(&[json!("a"), json!(""), json!(1), json!(0.5), json!(true)]),
            Shape::Port => self.one(&[json!("http"), json!(1), json!(65535), json!("8080")]),
            Shape::Address => json!(self.one(&["127.0.0.1:9090", "[::1]:0"])),
            Shape::Duration => json!(self.one(&["15m", "1h30m", "250ms", "8760h", "1s"])),
            Shape::DurationOrZero => json!(self.one(&["0s", "5s", "1m1ms"])),
            Shape::Selector => json!(self.one(&["a=b", "zone in (a,b),!old", "x"])),
            Shape::Url => json!(self.one(&["http://a", "https://[::1]:80/x", "HTTP://a.b/"])),
            Shape::HttpsUrl => json!(self.one(&["https://a", "https://a:6443/b"])),
            Shape::UrlPath => json!(self.one(&["/", "/a?b=c", "/%20"])),
            Shape::Cron => json!(self.one(&["0 3 * * mon", "@daily", " */5\t1-3 1,2 * * "])),
            Shape::TimeZone => json!(self.one(&["UTC", "Europe/Berlin", "Etc/GMT+1"])),
            Shape::Labels => self.one(&[
                json!({}),
                json!({"a": "b"}),
                json!({"example.com/a_b": "", "c": "D.e"}),
            ]),
            Shape::Texts(inner) => {
                let count = 1 + self.pick(3);
                (0..count).map(|_| self.value(inner)).collect()
            }
            Shape::Object(table) => self.object(table),
            Shape::Objects(table) => {
                let count = 1 + self.pick(3);
                (0..count).map(|_| self.object(table)).collect()
            }
            Shape::Named(table) => {
                let count = 1 + self.pick(2);
                let entries = (0..count).map(|at| {
                    let name = if self.slips() { "Not A Name" } else { names[at] };
                    (name.to_owned(), self.object(table))
                });
                Json::Object(entries.collect())
            }
            Shape::Later(_) => Json::Null,
        }
    }
}

/// Runs `check` on documents from a table; it answers whether the schema refused. Both must happen
/// often, or the property would say nothing.
fn compare(root: &'static Table, check: impl Fn(&str) -> bool) {
    let (taken, refused) = (std::cell::Cell::new(0), std::cell::Cell::new(0));
    let config = Config { cases: 800, failure_persistence: None, ..Config::default() };
    let tape = (vec(any::<u8>(), 0..300), prop_oneof![Just(0u8), Just(2), Just(10)]);
    TestRunner::new(config)
        .run(&tape, |(bytes, mistakes)| {
            let mut tape = Tape { bytes: bytes.iter(), mistakes };
            // JSON is YAML.
            let text = serde_json::to_string_pretty(&tape.object(root)).expect("JSON");
            let count = if check(&text) { &refused } else { &taken };
            count.set(count.get() + 1);
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
    println!("{}: {} taken, {} refused", root.what, taken.get(), refused.get());
    assert!(taken.get() > 150 && refused.get() > 150, "{taken:?} {refused:?}");
}

#[test]
fn drills_from_the_tables_are_judged_alike() {
    compare(&DRILL, |text| {
        let loaded = load(Path::new("random.yaml"), text);
        agree(&DRILL, &DRILLS, text, &loaded.problems)
    });
}

#[test]
fn configurations_from_the_tables_are_judged_alike() {
    compare(&CONFIGURATION, |text| {
        let (_, problems) = config::parse(Path::new("random.yaml"), text);
        agree(&CONFIGURATION, &CONFIGURATIONS, text, &problems)
    });
}
