//! The real workspace, held to its own rules.

use std::path::PathBuf;

use palisade_house::dependencies::{self, Rules};
use palisade_house::metadata::Metadata;
use palisade_house::{layers, sources, specification};

#[test]
fn an_arrow_never_points_up() {
    none(layers::check(&metadata()));
}

#[test]
fn source_files_keep_the_house_rules() {
    none(sources::check(&files()));
}

#[test]
fn the_code_map_names_every_crate() {
    none(sources::check_code_map(&files(), &read("ARCHITECTURE.md")));
}

#[test]
fn dependencies_keep_deny_toml() {
    let rules = Rules::parse(&read("deny.toml")).expect("deny.toml can be read");
    let built = dependencies::read_built(&root()).expect("cargo tree answers");
    assert!(built.len() > 10, "the tree was read: {built:?}");
    none(dependencies::check(&metadata(), &built, &rules));
}

#[test]
fn the_specification_names_tests_that_are_there() {
    none(specification::check(&read("SPECIFICATION.md"), &files()));
}

fn none(findings: Vec<String>) {
    assert!(findings.is_empty(), "\n{}\n", findings.join("\n"));
}

fn metadata() -> Metadata {
    Metadata::read(&root()).expect("cargo metadata answers")
}

fn files() -> Vec<sources::SourceFile> {
    let files = sources::read_rust_files(&root()).expect("the sources can be read");
    assert!(files.len() > 10, "the sources were found");
    files
}

fn read(name: &str) -> String {
    std::fs::read_to_string(root().join(name)).expect("a file of the repository")
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("crates/house is two levels deep").to_owned()
}
