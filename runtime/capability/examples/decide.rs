//! How long does a decision take? `cargo run --release -p reml_capability --example decide`

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::Instant;

use reml_capability::policy::{Effect, Grants, Pattern, Power, Rule, Source, Subject};

fn main() {
    for count in [10, 10_000, 1_000_000] {
        let started = Instant::now();
        let grants = Grants::new((0..count).flat_map(rules).collect()).expect("the rules agree");
        let made = started.elapsed();
        println!("{count} rules for each of four powers, made in {made:.1?}");
        let paths: Vec<PathBuf> =
            (0..1024).map(|i| format!("/srv/data/{}/project{}/src/main.reml", i % 100, i).into()).collect();
        let names: Vec<String> = (0..1024).map(|i| format!("SERVICE_{i}_TOKEN")).collect();
        let hosts: Vec<String> = (0..1024).map(|i| format!("api.host{i}.example.com")).collect();
        measure("a path of six parts", |i| grants.decide(Power::Read, &Subject::Path(&paths[i])).is_allowed());
        measure("a name", |i| grants.decide(Power::EnvRead, &Subject::Name(&names[i])).is_allowed());
        measure("a host", |i| {
            grants.decide(Power::Connect, &Subject::Address { host: &hosts[i], port: 443 }).is_allowed()
        });
        measure("an address", |i| {
            grants.decide(Power::Connect, &Subject::Address { host: "10.1.2.3", port: i as u16 }).is_allowed()
        });
        measure("a symbol of a library", |i| {
            let library = Subject::Library { asked: "libm.so.6", path: None, symbol: Some(&names[i]) };
            grants.decide(Power::Ffi, &library).is_allowed()
        });
    }
}

fn rules(number: u32) -> impl Iterator<Item = Rule> {
    let effect = if number.is_multiple_of(3) { Effect::Deny } else { Effect::Allow };
    [
        (Power::Read, format!("/srv/data/{}/project{number}", number % 100)),
        (Power::EnvRead, format!("SERVICE_{number}_*")),
        (Power::Connect, format!("*.host{number}.example.com:443")),
        (Power::Ffi, format!("libm.so.6:SERVICE_{number}_TOKEN")),
    ]
    .into_iter()
    .map(move |(power, text)| {
        let pattern = Pattern::parse(power, &text, Path::new("/")).expect("it is a pattern");
        Rule { effect, power, pattern, source: Source::Default("a benchmark") }
    })
}

fn measure(what: &str, decide: impl Fn(usize) -> bool) {
    const ROUNDS: usize = 500;
    let started = Instant::now();
    for _ in 0..ROUNDS {
        for index in 0..1024 {
            black_box(decide(black_box(index)));
        }
    }
    let each = started.elapsed().as_nanos() as f64 / (ROUNDS * 1024) as f64;
    println!("  {what:24} {each:6.0} ns");
}
