//! A difference for people: as text, and for a comment on a pull request.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use palisade_archive::files::{Change, FileChange};

use super::{Difference, Side, Told};
use crate::table::Table;

/// Rows of each kind that are shown; `-o json` has all.
const SHOWN: usize = 30;

/// For a terminal.
pub fn render(difference: &Difference) -> String {
    let mut text = String::new();
    for (sign, side) in [("-", &difference.old), ("+", &difference.new)] {
        let _ = writeln!(text, "{sign} {}", shown(side));
    }
    for section in sections(difference) {
        let _ = write!(text, "\n{}\n", section.title);
        let mut table = Table::new(section.head);
        section.rows.iter().take(SHOWN).for_each(|row| table.row(row.iter().map(|cell| plain(cell))));
        if !table.is_empty() {
            let _ = write!(text, "{table}");
        }
        if section.rows.len() > SHOWN {
            let _ = writeln!(text, "and {} more; `-o json` lists all", section.rows.len() - SHOWN);
        }
    }
    let _ = writeln!(text, "\n{}", totals(difference));
    text
}

/// For a comment.
pub fn markdown(difference: &Difference) -> String {
    let mut text = format!("**Image** {} → {}\n\n", code(&difference.old.name), code(&difference.new.name));
    let _ = writeln!(text, "{}", totals(difference));
    for section in sections(difference) {
        let _ = write!(text, "\n<details><summary>{}</summary>\n\n", section.title);
        if !section.rows.is_empty() {
            let _ = writeln!(text, "| {} |", section.head.join(" | "));
            let _ = writeln!(text, "|{}", " --- |".repeat(section.head.len()));
        }
        for row in section.rows.iter().take(SHOWN) {
            let cells: Vec<String> = row.iter().map(|cell| code(cell)).collect();
            let _ = writeln!(text, "| {} |", cells.join(" | "));
        }
        if section.rows.len() > SHOWN {
            let _ = writeln!(text, "\nand {} more", section.rows.len() - SHOWN);
        }
        text.push_str("\n</details>\n");
    }
    text
}

/// Nothing of an image moves the cursor.
fn plain(text: &str) -> String {
    text.chars().map(|it| if it.is_control() { ' ' } else { it }).collect()
}

/// As code, so that nothing of it is markup; empty stays empty.
fn code(text: &str) -> String {
    let plain: String = text
        .chars()
        .map(|it| match it {
            '`' => '\'',
            '|' => '¦',
            it if it.is_control() => ' ',
            it => it,
        })
        .collect();
    if plain.trim().is_empty() { String::new() } else { format!("`{plain}`") }
}

struct Section {
    title: String,
    head: &'static [&'static str],
    rows: Vec<Vec<String>>,
}

/// What differs, part by part; a part in which nothing differs is left out.
fn sections(difference: &Difference) -> Vec<Section> {
    let mut sections = Vec::new();
    let mut add = |title: &str, head, rows: Vec<Vec<String>>| {
        if !rows.is_empty() {
            sections.push(Section { title: format!("{title} ({})", rows.len()), head, rows });
        }
    };
    if let Some(findings) = &difference.findings {
        const HEAD: &[&str] = &["SEVERITY", "ID", "PACKAGE", "VERSION", "MENDED IN"];
        add("Findings that open", HEAD, findings.opened.iter().map(finding).collect());
        add("Findings that close", HEAD, findings.closed.iter().map(finding).collect());
    }
    let versions = |set: &BTreeSet<String>| set.iter().cloned().collect::<Vec<_>>().join(", ");
    let packages = difference.packages.iter();
    let rows = packages.map(|it| vec![it.purl.clone(), versions(&it.old), versions(&it.new)]).collect();
    add("Packages", &["PACKAGE", "OLD", "NEW"], rows);
    let said = |value: &Option<String>| value.clone().unwrap_or_default();
    let config = difference.config.iter();
    let rows = config.map(|it| vec![it.field.clone(), said(&it.old), said(&it.new)]).collect();
    add("Config", &["FIELD", "OLD", "NEW"], rows);
    let layers = &difference.layers;
    let layer = |sign: &str, layer: &palisade_image::Layer| {
        let step = layer.created_by.as_deref().unwrap_or("").replace(['\n', '\t'], " ");
        let step = step.chars().take(60).collect();
        vec![sign.to_owned(), layer.reference.index.to_string(), layer.bytes.to_string(), step]
    };
    let gone = layers.old.iter().map(|it| layer("-", it));
    add("Layers", &["", "LAYER", "BYTES", "STEP"], gone.chain(layers.new.iter().map(|it| layer("+", it))).collect());
    if let Some(files) = &difference.files {
        add("Files", &["", "PATH", "BYTES"], files.changes.iter().map(file).collect());
    }
    sections
}

fn finding(it: &Told) -> Vec<String> {
    let named = it.aliases.iter().find(|id| id.starts_with("CVE-")).unwrap_or(&it.id);
    let exploited = if it.kev { " exploited" } else { "" };
    vec![
        format!("{}{exploited}", it.severity.as_str()),
        named.clone(),
        it.package.clone(),
        it.version.clone(),
        it.fixed_version.clone().unwrap_or_default(),
    ]
}

fn file(it: &FileChange) -> Vec<String> {
    let size = |size: Option<u64>| size.map_or_else(String::new, |size| size.to_string());
    let (sign, told) = match &it.change {
        Change::Added => ("+", size(it.new_size)),
        Change::Removed => ("-", size(it.old_size)),
        Change::Content => ("~", format!("{} to {}", size(it.old_size), size(it.new_size))),
        Change::Mode(told) => ("~", told.clone()),
    };
    vec![sign.to_owned(), it.path.clone(), told]
}

fn shown(side: &Side) -> String {
    let mega = side.bytes as f64 / 1e6;
    let digest = if side.digest.is_empty() { String::new() } else { format!(" {}", side.digest) };
    let distribution = if side.distribution.is_empty() { "no distribution" } else { &side.distribution };
    format!("{}{digest}: {distribution}, {} packages, {mega:.1} MB", side.name, side.packages)
}

/// One line.
fn totals(difference: &Difference) -> String {
    let count = |is: &dyn Fn(bool, bool) -> bool| {
        difference.packages.iter().filter(|it| is(it.old.is_empty(), it.new.is_empty())).count()
    };
    let mut parts = vec![format!(
        "packages: {} added, {} removed, {} changed",
        count(&|old, _| old),
        count(&|_, new| new),
        count(&|old, new| !old && !new)
    )];
    match &difference.files {
        Some(files) => parts.push(format!("files: {} differ", files.count)),
        None => parts.push("files: not compared, a bill of materials has none".into()),
    }
    parts.push(format!(
        "layers: {} shared, {} gone, {} new",
        difference.layers.shared,
        difference.layers.old.len(),
        difference.layers.new.len()
    ));
    match &difference.findings {
        Some(it) => {
            parts.push(format!("findings: {} open, {} close, {} stay", it.opened.len(), it.closed.len(), it.stay))
        }
        None => parts.push("findings: no database to judge by".into()),
    }
    parts.join("; ")
}
