//! Holds the reading of YAML against `sigs.k8s.io/yaml` itself: the Go program in `crates/peers/programs/goyaml` answers with the
//! JSON that Kubernetes would see.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use palisade_peers::programs::GOYAML;
use serde_json::{Map, Number, Value as Json};

use super::json::parse_json;
use super::parse::parse;
use super::tree::{Shape, Value};

/// Scalars at the corners of go-yaml's table.
const SCALARS: &[&str] = &[
    "",
    "~",
    "null",
    "Null",
    "NULL",
    "nULL",
    "yes",
    "Yes",
    "YES",
    "yEs",
    "no",
    "No",
    "NO",
    "on",
    "On",
    "ON",
    "off",
    "Off",
    "OFF",
    "y",
    "Y",
    "n",
    "N",
    "true",
    "True",
    "TRUE",
    "tRue",
    "false",
    "False",
    "FALSE",
    "t",
    "f",
    "T",
    "F",
    "o",
    "yesno",
    "0",
    "-0",
    "+0",
    "00",
    "007",
    "08",
    "09",
    "0777",
    "-0777",
    "+0777",
    "0778",
    "0o777",
    "0O777",
    "0o778",
    "-0o17",
    "0o",
    "0x",
    "0xg",
    "0x1f",
    "0X1F",
    "-0x1f",
    "+0x1f",
    "0x_1",
    "0x1_f",
    "0b",
    "0b1",
    "0B1",
    "0b2",
    "-0b1",
    "+0b1",
    "0b-1",
    "0b+1",
    "-0b-1",
    "0b_1",
    "1_000",
    "1__000",
    "_1",
    "1_",
    "1_000.5",
    "1.0_0",
    "._1",
    "1",
    "-1",
    "+1",
    "--1",
    "+-1",
    "-+1",
    "1.",
    "1.0",
    "-1.0",
    "+1.0",
    ".5",
    "-.5",
    "+.5",
    "5.",
    ".",
    "..",
    "...a",
    "-.",
    "+.",
    "1e3",
    "1E3",
    "1e+3",
    "1e-3",
    "-1e3",
    "1e",
    "1e+",
    "e3",
    ".e3",
    "1.e3",
    "1.5e3",
    ".5e3",
    "1e400",
    "-1e400",
    "1e-400",
    ".5_5",
    "._5",
    ".5_",
    ".5__5",
    ".1e1_0",
    ".inf",
    ".Inf",
    ".INF",
    ".iNF",
    "+.inf",
    "-.inf",
    "-.Inf",
    "+.INF",
    "inf",
    "+inf",
    "-inf",
    "Inf",
    ".nan",
    ".NaN",
    ".NAN",
    ".Nan",
    "nan",
    "NaN",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "-9223372036854775809",
    "18446744073709551615",
    "18446744073709551616",
    "0xffffffffffffffff",
    "0x7fffffffffffffff",
    "0x10000000000000000",
    "0777777777777777777777",
    "01777777777777777777777",
    "0b1111111111111111111111111111111111111111111111111111111111111111",
    "99999999999999999999999",
    "-99999999999999999999999",
    "123456789012345678",
    "1.7976931348623157e308",
    "1.7976931348623159e308",
    "5e-324",
    "1:30",
    "1:30:15",
    "-1:30",
    "190:20:30",
    "190:20:30.15",
    "12:00",
    "2001-01-01",
    "2001-1-1",
    "2001-01-01T00:00:00Z",
    "2001-13-01",
    "2001-12-14t21:59:43.10-05:00",
    "2001-12-14 21:59:43.10",
    "2001-12-14 21:59:43.10 -5",
    "2027-01-31T00:00:00Z",
    "20010101",
    "2001-",
    "0.1",
    "0.10",
    "1.10",
    "3.14159",
    "100000.0",
    "1000000.0",
    "123456.0",
    "1234567.0",
    "16777217.0",
    "0.0001",
    "0.00001",
    "1e5",
    "1e6",
    "1e20",
    "1e21",
    "1e22",
    "-1e21",
    "0.0",
    "-0.0",
    "1.5",
    "2.50",
    "80",
    "080",
    "8080",
    "8e1",
    "80.0",
    "a",
    "abc",
    "a b",
    "a-b",
    "a.b",
    "a/b",
    "<<",
    "<",
    "=",
    "==",
    "tcp",
    "TCP",
    "1a",
    "0x1.8p1",
    "0x1p4",
    "0x.8",
    "1p4",
    "1f",
    "1d",
    "١",
    "é",
    "1k",
    "100m",
    "1Gi",
    "128Mi",
    "v1",
    "10.0.0.0/8",
    "::1",
    "1.2.3",
    "1.2.3.4",
    "127.0.0.1",
    "0.0.0.0/0",
    "a:b",
    "a:",
    "-a",
    "- a",
    "?a",
    "!a",
    "%a",
    "@a",
    "`a",
    "&a",
    "*a",
    "|a",
    ">a",
    "#a",
    "a#b",
    "a #b",
    "{}",
    "[]",
    "{a: b}",
    "[a, b]",
    "\"",
    "'",
    "a'b",
    "a\"b",
    "\\n",
    "a\\nb",
    "a, b",
    "a]b",
    "a}b",
    "a,b",
    "~a",
    "nullx",
    "yes ",
    " yes",
];

/// Whole documents: structure, keys, merges, aliases, blocks, quotes, tags, comments, odd white space.
const DOCUMENTS: &[&str] = &[
    "",
    "---",
    "---\n",
    "# only a comment\n",
    "a: 1\nb: 2\n",
    "{a: 1, b: [x, y, {c: d}]}\n",
    "[1, 2\n, 3]\n",
    "a:\n- 1\n- 2\n",
    "a:\n  - 1\n  -\n  - ~\n",
    "- - a\n  - b\n- c\n",
    "a: &x {p: 1, q: 2}\nb: *x\n",
    "a: &x {p: 1}\nb: {<<: *x, q: 2}\n",
    "a: &x {p: 1}\nb: {p: 9, <<: *x, q: 2}\n",
    "a: &x {p: 1}\nb: {<<: *x, p: 9}\n",
    "a: &x {p: 1}\nc: &y {p: 2, r: 3}\nb: {<<: [*x, *y], q: 2}\n",
    "b: {<<: {p: 1}, q: 2}\n",
    "b: {<<: [], q: 2}\n",
    "b: {<<: 1}\n",
    "b: {<<: ~}\n",
    "b: {<<: [1]}\n",
    "b: {\"<<\": 1}\n",
    "b: {'<<': {p: 1}}\n",
    "b: {!!merge <<: {p: 1}}\n",
    "a: <<\n",
    "- <<\n",
    "a: &x [1]\nb: {<<: *x}\n",
    "a: 1\na: 2\n",
    "a: 1\n\"a\": 2\n",
    "1: a\n\"1\": b\n",
    "~: a\n",
    "\"~\": a\n",
    ": a\n",
    "? a\n: b\n",
    "? [a]\n: b\n",
    "? {a: b}\n: c\n",
    "[a]: b\n",
    "{a: b}: c\n",
    "yes: a\nno: b\n",
    "1.5: a\n0x10: b\n0o17: c\n1e3: d\n",
    ".inf: a\n-.inf: b\n",
    ".nan: a\n",
    "2001-01-01: a\n",
    "18446744073709551615: a\n",
    "1e21: a\n1e20: b\n0.00001: c\n123456789.0: d\n",
    "a: |\n  x\n  y\n",
    "a: |-\n  x\n  y\n\n",
    "a: |+\n  x\n\n\nb: 1\n",
    "a: >\n  x\n  y\n\n  z\n",
    "a: >-\n  x\n   y\n  z\n",
    "a: |2\n    x\n   y\n",
    "a: |\n\n  x\n",
    "a: |\nb: 1\n",
    "a: |\n  # no comment\n",
    "a: |\n  x\n # comment\nb: 1\n",
    "a: \"x\n  y\"\n",
    "a: 'x\n  y'\n",
    "a: x\n  y\n",
    "a: x\n  y\n\n  z\n",
    "a: \"\\x41\\u00e9\\U0001F600\\t\\/\\e\\0\\_\\N\\L\\P\\a\\b\\v\\f\\r\\n\\\" \\\\\"\n",
    "a: \"\\q\"\n",
    "a: \"\\ud83d\\ude00\"\n",
    "a: 'it''s'\n",
    "a: !!str 80\n",
    "a: !!int \"80\"\n",
    "a: !!float 80\n",
    "a: !!bool yes\n",
    "a: !!bool \"yes\"\n",
    "a: !!bool x\n",
    "a: !!null x\n",
    "a: !!null ''\n",
    "a: !!binary aGVsbG8=\n",
    "a: !!binary a*\n",
    "a: !!timestamp 2001-01-01\n",
    "a: !!timestamp x\n",
    "a: !foo 80\n",
    "a: ! 80\n",
    "a: ! x\n",
    "a: !<tag:yaml.org,2002:str> 80\n",
    "a: !!map {b: c}\n",
    "a: !!set {b, c}\n",
    "a: !!omap [{b: c}]\n",
    "a: !!seq [1]\n",
    "a: !!str\n",
    "a: !!int\n",
    "!!str 1: a\n",
    "!!int \"1\": a\n",
    "%YAML 1.1\n---\na: yes\n",
    "%TAG ! tag:x,2000:\n---\na: !b 1\n",
    "a: b: c\n",
    "a: b:\n",
    "a : b\n",
    "a:b\n",
    "a:\tb\n",
    "a:\n\tb: c\n",
    "a:\n  b:\tc\n",
    "a: b\t\n",
    "a: b # c\n",
    "a: b#c\n",
    "a: 'b'# c\n",
    "\ta: b\n",
    "a: [\n\tb\n]\n",
    "a: {\n\tb: c\n}\n",
    "{\n\t\"a\": 1\n}\n",
    "a: [b, c,]\n",
    "a: [b,, c]\n",
    "a: {b: c,}\n",
    "a: {b}\n",
    "a: {b: , c: }\n",
    "a: [b: c]\n",
    "a: [b: c, d]\n",
    "a: {? b: c}\n",
    "a: {\"b\":c}\n",
    "a: {b:c}\n",
    "a: [a:b]\n",
    "a: [\"a\":b]\n",
    "a: [x\n",
    "a: {x\n",
    "a: 'x\n",
    "a: \"x\n",
    "a: ]\n",
    "a: }\n",
    "a: @x\n",
    "a: `x\n",
    "a: %x\n",
    "a: *x\n",
    "a: &x\n",
    "a: &x b\nc: *x\n",
    "&x a: b\nc: *x\n",
    "a: &x 1\nb: &x 2\nc: *x\n",
    "a: &a [*a]\n",
    "a: &a {b: *a}\n",
    "  a: 1\n  b: 2\n",
    "  a: 1\n b: 2\n",
    "a: 1\n  b: 2\n",
    "a:\n  b: 1\n c: 2\n",
    "a:\n- b\n c\n",
    "a:\n - b\n- c\n",
    "- a\nb: c\n",
    "a: - b\n",
    "a: -b\n",
    "- -\n",
    "-\n",
    "a: -\n",
    "a: ?\n",
    "a: ? b\n",
    "?\n",
    ":\n",
    "a: :\n",
    "a: :b\n",
    "a: b:c\n",
    "a: http://x/y\n",
    "a: [http://x/y]\n",
    "a: {b: http://x/y}\n",
    "a\n",
    "a b\nc d\n",
    "\"a\"\n",
    "'a': 'b'\n",
    "12\n",
    "yes\n",
    "a: 1\n...\n",
    "a: 1\n... \n",
    "\u{feff}a: 1\n",
    "a: \u{feff}b\n",
    "a: \u{1}\n",
    "a: \u{7f}\n",
    "a: \u{85}b\n",
    "a: b\u{2028}c\n",
    "a: \u{a0}b\n",
    "a: \u{fffe}\n",
    "a: \u{10ffff}\n",
    "a: b\r\nc: d\r\n",
    "a: b\rc: d\r",
    "a: |\r\n  x\r\n  y\r\n",
    "a: \"b\" \"c\"\n",
    "a: \"b\" c\n",
    "a: [b] c\n",
    "a: {b: c} d\n",
    "? a\n? b\n",
    "? a\n:\n  b: c\n",
    "? |\n  a\n: b\n",
    "a: !!str &x b\nc: *x\n",
    "a: &x !!str b\nc: *x\n",
    "{\"a\":1,\"b\":[true,false,null,1.5,1e3,\"x\\u0041\\/\\n\"]}\n",
    "{\"a\":\"\\ud83d\\ude00\"}\n",
    "{\"a\": 1, \"a\": 2}\n",
    "{a: 1}\n# c\n",
    "{a: 1} # c\n",
    "a: >\n\n\n  x\n",
    "a: >2\n   x\n  y\n",
    "a: |1\n x\n",
    "a: |0\n x\n",
    "a: |10\n x\n",
    "a: | # c\n  x\n",
    "a: |x\n  y\n",
    "a: |\n    x\n  y\n",
    "a: |\n   \n  x\n",
    "a: |\n\tx\n",
    "a: |\n  \tx\n",
    "key with spaces: 1\n",
    "\"quoted: key\": 1\n",
    "a:  \n  b\n",
    "a:\n  # c\n  b: 1\n# d\nc: 2\n",
    "a: [ # c\n  1 ]\n",
    "list:\n- name: a\n  value: b\n-   name: c\n    value: d\n- {name: e}\n",
    "a: 'b\n\n  c'\n",
    "a: \"b\\\n  c\"\n",
    "a: \"b \n  c\"\n",
    "a: b \n  c\n",
    "spec:\n  ports:\n  - port: 0080\n  - port: 1e2\n  - port: 80.0\n  - port: \"80\"\n",
    "x: {a: *b}\n",
    "a: [1, [2, [3, [4]]]]\n",
    "a: {b: {c: {d: e}}}\n",
    "<<: {a: 1}\nb: 2\n",
    "a: &x\n  b: 1\nc:\n  <<: *x\n  d: 2\n",
    "a: &x {y: 1}\nb: &z {<<: *x, w: 2}\nc: {<<: *z, y: 3}\n",
];

#[test]
fn scalars_resolve_as_in_go() {
    let mut documents = Vec::new();
    for scalar in SCALARS {
        documents.extend(forms(scalar));
    }
    compare(&documents);
}

#[test]
fn documents_read_as_in_go() {
    compare(&DOCUMENTS.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
}

#[test]
fn random_scalars_resolve_as_in_go() {
    // Letters that meet in numbers, words and timestamps; a fixed seed, so that a failure repeats.
    const ALPHABET: &[u8] = b"000112789abfxXoObBeEpP+-__...~ynYNtruelTRUEsoffOnNiaI:TZ";
    const COUNT: usize = 60_000;
    let mut random = Xorshift(0x5eed_cafe_f00d_1234);
    let documents: Vec<String> = (0..COUNT)
        .map(|_| {
            let len = 1 + random.below(9);
            let scalar: String = (0..len).map(|_| ALPHABET[random.below(ALPHABET.len())] as char).collect();
            match random.below(6) {
                0 => format!("{scalar}: v\n"),
                1 => format!("!!int {scalar}\n"),
                2 => format!("!!float \"{scalar}\"\n"),
                _ => format!("v: {scalar}\n"),
            }
        })
        .collect();
    compare(&documents);
}

#[test]
fn random_numbers_resolve_as_in_go() {
    let mut random = Xorshift(0x0ddb_a110_ddba_1101);
    let prefixes = ["", "-", "+", "0", "0x", "0b", "0o", "-0x", ".", "-."];
    let mut documents = Vec::new();
    for _ in 0..30_000 {
        let digits = 1 + random.below(22);
        let mut scalar = prefixes[random.below(prefixes.len())].to_owned();
        scalar.extend((0..digits).map(|_| char::from(b'0' + random.below(10) as u8)));
        if random.below(2) == 0 {
            scalar.insert(random.below(scalar.len() + 1), ['.', 'e', '_', '1'][random.below(4)]);
        }
        if random.below(3) == 0 {
            scalar.push_str(&format!("e{}", random.below(400) as i64 - 200));
        }
        documents.push(if random.below(4) == 0 { format!("{scalar}: v\n") } else { format!("v: {scalar}\n") });
    }
    compare(&documents);
}

#[test]
fn random_documents_read_as_in_go() {
    // Pieces of every construct, put one behind the other or into a document at random.
    const PIECES: &[&str] = &[
        "\n",
        "\n",
        "\n  ",
        "\n    ",
        " ",
        "  ",
        "\t",
        ":",
        ": ",
        "a: ",
        "b:\n  ",
        "- ",
        "- - ",
        "? ",
        "{",
        "}",
        "[",
        "]",
        ",",
        ", ",
        "&x ",
        "*x",
        "*x ",
        "!!int ",
        "!!str ",
        "!",
        "! ",
        "!a",
        "!<a> ",
        "|",
        "|\n",
        ">",
        "|2\n",
        "|+\n",
        ">-\n",
        "'",
        "''",
        "\"",
        "\\",
        "\\n",
        "\\x41",
        "\\u00e9",
        "#",
        " # c",
        "%",
        "%TAG ! a:\n",
        "%YAML 1.1\n",
        "---\n",
        "--- ",
        "...\n",
        "~",
        "null",
        "0x10",
        "-1",
        "1.5",
        "<<: ",
        "<<: *x",
        "\u{feff}",
        "\u{85}",
        "\u{2028}",
        "\r",
        "\r\n",
        "é",
        "a",
        "b c",
        "x: y\n",
        "k: {a: b, c: [d]}\n",
        "l:\n- a\n- b\n",
        "m:\n  n: o\n",
        "t: |\n  lit\n  x\n",
        "q: \"d\"\n",
        "s: 'e'\n",
        "a:b",
        "?a",
        ":a",
        "-a",
        "@",
        "`",
        "yes",
    ];
    const COUNT: usize = 60_000;
    let mut random = Xorshift(0xd0c5_d0c5_1234_5678);
    let documents: Vec<String> = (0..COUNT)
        .map(|count| {
            let mut text = String::new();
            if count % 2 == 0 {
                text.push_str(DOCUMENTS[random.below(DOCUMENTS.len())]);
            }
            for _ in 0..1 + random.below(8) {
                let piece = PIECES[random.below(PIECES.len())];
                let at = if count % 2 == 0 { random.below(text.len() + 1) } else { text.len() };
                let at = (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
                text.insert_str(at, piece);
            }
            text
        })
        .collect();
    compare(&documents);
}

fn forms(scalar: &str) -> Vec<String> {
    let double = serde_json::to_string(scalar).expect("text is JSON");
    let single = format!("'{}'", scalar.replace('\'', "''"));
    let mut forms = vec![
        format!("v: {scalar}\n"),
        format!("{scalar}: v\n"),
        format!("- {scalar}\n"),
        format!("[{scalar}]\n"),
        format!("{{v: {scalar}}}\n"),
        format!("{{{scalar}: v}}\n"),
        format!("v: {double}\n"),
        format!("{double}: v\n"),
        format!("v: {single}\n"),
        format!("v: |-\n  {scalar}\n"),
    ];
    for tag in ["!!str", "!!int", "!!float", "!!bool", "!!null", "!!timestamp", "!other", "!"] {
        forms.push(format!("v: {tag} {scalar}\n"));
        forms.push(format!("v: {tag} {double}\n"));
    }
    forms
}

/// Compares our reading of each document with Go's; prints every difference.
fn compare(documents: &[String]) {
    let Some(program) = GOYAML.get() else { return };
    let theirs = run_goyaml(&program, documents);
    assert_eq!(theirs.len(), documents.len(), "one answer a document");
    let mut differences = Vec::new();
    for (document, theirs) in documents.iter().zip(&theirs) {
        let ours = read(document);
        let agree = match (&ours, theirs) {
            (Ok(ours), Ok(theirs)) => same(ours, theirs),
            (Err(_), Err(_)) => true,
            (Ok(_), Err(_)) | (Err(_), Ok(_)) => false,
        };
        if !agree && !is_json(document) && !is_undefined(document) {
            differences.push(format!("{document:?}\n    ours {ours:?}\n    go   {theirs:?}"));
        }
    }
    assert!(differences.is_empty(), "{} of {} differ:\n{}", differences.len(), documents.len(), differences.join("\n"));
}

/// JSON has escapes that go-yaml refuses (`\/`, surrogate pairs); kubectl reads JSON as JSON, and so do we.
fn is_json(document: &str) -> bool {
    let document = document.strip_prefix('\u{feff}').unwrap_or(document);
    document.trim_start().starts_with('{') && parse_json(document, 1).is_some()
}

/// Where Go itself is undecided (keys that differ by type alone), or takes text by accident (byte order marks inside,
/// bytes that are no text).
fn is_undefined(document: &str) -> bool {
    (document.contains("1:") && document.contains("\"1\":"))
        || document.chars().skip(1).any(|character| character == '\u{feff}')
        || document.contains("!!binary")
}

fn read(document: &str) -> Result<Json, String> {
    let document = document.strip_prefix('\u{feff}').unwrap_or(document);
    let documents = parse(document, 1).map_err(|error| error.message)?;
    Ok(documents.first().map_or(Json::Null, |document| to_json(document.root())))
}

fn to_json(value: Value<'_>) -> Json {
    match value.shape() {
        Shape::Null => Json::Null,
        Shape::Bool(value) => Json::Bool(value),
        Shape::Int(value) => Json::Number(value.into()),
        Shape::Uint(value) => Json::Number(value.into()),
        Shape::Float(value) => Json::Number(Number::from_f64(value).expect("the tree holds finite numbers")),
        Shape::Text(text) => Json::String(text.to_owned()),
        Shape::Sequence => Json::Array(value.elements().map(to_json).collect()),
        Shape::Mapping => {
            Json::Object(value.fields().map(|(key, _, value)| (key.to_owned(), to_json(value))).collect::<Map<_, _>>())
        }
    }
}

/// Equal as JSON, where `80` and `80.0` are one number.
fn same(ours: &Json, theirs: &Json) -> bool {
    match (ours, theirs) {
        (Json::Number(ours), Json::Number(theirs)) => {
            ours == theirs || ((ours.is_f64() || theirs.is_f64()) && ours.as_f64() == theirs.as_f64())
        }
        (Json::Array(ours), Json::Array(theirs)) => {
            ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(ours, theirs)| same(ours, theirs))
        }
        (Json::Object(ours), Json::Object(theirs)) => {
            ours.len() == theirs.len()
                && ours.iter().all(|(key, ours)| at_key(theirs, key).is_some_and(|theirs| same(ours, theirs)))
        }
        (ours, theirs) => ours == theirs,
    }
}

/// The value under `key`. Of two shortest forms of a 32-bit float, Rust and Go may choose different ones.
fn at_key<'a>(map: &'a Map<String, Json>, key: &str) -> Option<&'a Json> {
    let same_float =
        |other: &str| other.contains('.') && other.parse::<f32>().is_ok_and(|other| key.parse() == Ok(other));
    map.get(key).or_else(|| map.iter().find(|(other, _)| same_float(other)).map(|(_, value)| value))
}

fn run_goyaml(program: &Path, documents: &[String]) -> Vec<Result<Json, String>> {
    let mut child =
        Command::new(program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the program was just built");
    let mut stdin = child.stdin.take().expect("stdin is piped");
    let lines: String =
        documents.iter().map(|document| serde_json::to_string(document).expect("text is JSON") + "\n").collect();
    let writer = std::thread::spawn(move || stdin.write_all(lines.as_bytes()));
    let output = child.wait_with_output().expect("the program ends when its input does");
    writer.join().expect("the writer does not panic").expect("the program reads all of its input");
    let text = String::from_utf8(output.stdout).expect("JSON is UTF-8");
    text.lines()
        .map(|line| match line.strip_prefix('!') {
            Some(error) => Err(error.to_owned()),
            None => Ok(serde_json::from_str(line).expect("the program writes JSON")),
        })
        .collect()
}

struct Xorshift(u64);

impl Xorshift {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }
}
