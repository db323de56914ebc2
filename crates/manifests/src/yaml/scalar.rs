//! What a scalar means: the table of go-yaml v2, on which `sigs.k8s.io/yaml` stands.
//!
//! Source: `resolve.go` of go.yaml.in/yaml/v2. Held against it by the test in `goyaml.rs`.

/// A scalar after resolution. Text that stays text is not copied: the node has it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Scalar {
    Null,
    Bool(bool),
    Int(i64),
    /// Above `i64::MAX`.
    Uint(u64),
    Float(f64),
    Text,
}

/// The tag written in front of a scalar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ScalarTag {
    /// No tag, and not quoted.
    Implicit,
    Text,
    Bool,
    Int,
    Float,
    Null,
    Timestamp,
    Binary,
    /// A tag that means nothing here: the scalar is text.
    Other,
}

impl ScalarTag {
    /// The tag of the full name `tag`.
    pub(crate) fn of(tag: &str) -> Self {
        match tag.strip_prefix("tag:yaml.org,2002:") {
            Some("str") => Self::Text,
            Some("bool") => Self::Bool,
            Some("int") => Self::Int,
            Some("float") => Self::Float,
            Some("null") => Self::Null,
            Some("timestamp") => Self::Timestamp,
            Some("binary") => Self::Binary,
            _ => Self::Other,
        }
    }
}

/// What `text` under `tag` means, or the name of the tag that it contradicts.
pub(crate) fn resolve(tag: ScalarTag, text: &str) -> Result<Scalar, &'static str> {
    let found = match tag {
        ScalarTag::Text | ScalarTag::Binary | ScalarTag::Other => return Ok(Scalar::Text),
        ScalarTag::Implicit => return Ok(resolve_implicit(text)),
        ScalarTag::Timestamp => {
            return if is_timestamp(text) { Ok(Scalar::Text) } else { Err("!!timestamp") };
        }
        ScalarTag::Bool | ScalarTag::Int | ScalarTag::Float | ScalarTag::Null => resolve_implicit(text),
    };
    match (tag, found) {
        (ScalarTag::Bool, Scalar::Bool(_))
        | (ScalarTag::Int, Scalar::Int(_) | Scalar::Uint(_))
        | (ScalarTag::Float, Scalar::Float(_))
        | (ScalarTag::Null, Scalar::Null) => Ok(found),
        (ScalarTag::Float, Scalar::Int(value)) => Ok(Scalar::Float(value as f64)),
        (ScalarTag::Bool, _) => Err("!!bool"),
        (ScalarTag::Int, _) => Err("!!int"),
        (ScalarTag::Float, _) => Err("!!float"),
        _ => Err("!!null"),
    }
}

fn resolve_implicit(text: &str) -> Scalar {
    let Some(&first) = text.as_bytes().first() else {
        return Scalar::Null;
    };
    match first {
        b'y' | b'Y' | b'n' | b'N' | b't' | b'T' | b'f' | b'F' | b'o' | b'O' | b'~' => {
            resolve_word(text).unwrap_or(Scalar::Text)
        }
        b'.' => resolve_word(text).or_else(|| parse_point_float(text).map(Scalar::Float)).unwrap_or(Scalar::Text),
        b'+' | b'-' => resolve_word(text).or_else(|| resolve_number(text)).unwrap_or(Scalar::Text),
        b'0'..=b'9' => resolve_number(text).unwrap_or(Scalar::Text),
        _ => Scalar::Text,
    }
}

fn resolve_word(text: &str) -> Option<Scalar> {
    Some(match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => Scalar::Bool(true),
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => Scalar::Bool(false),
        "~" | "null" | "Null" | "NULL" => Scalar::Null,
        ".nan" | ".NaN" | ".NAN" => Scalar::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => Scalar::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => Scalar::Float(f64::NEG_INFINITY),
        _ => return None,
    })
}

fn resolve_number(text: &str) -> Option<Scalar> {
    let stripped;
    let plain = if text.contains('_') {
        stripped = text.replace('_', "");
        stripped.as_str()
    } else {
        text
    };
    parse_go_int(plain)
        .map(Scalar::Int)
        .or_else(|| parse_go_uint(plain).map(Scalar::Uint))
        .or_else(|| if is_float(plain) { parse_float(plain).map(Scalar::Float) } else { None })
        .or_else(|| parse_binary_leftover(plain))
}

/// Go's `strconv.ParseInt(text, 0, 64)` on text without underscores.
fn parse_go_int(text: &str) -> Option<i64> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let magnitude = parse_go_uint(digits)?;
    if negative { 0i64.checked_sub_unsigned(magnitude) } else { i64::try_from(magnitude).ok() }
}

/// Go's `strconv.ParseUint(text, 0, 64)` on text without underscores: no sign, base by prefix.
fn parse_go_uint(text: &str) -> Option<u64> {
    let (radix, digits) = match text.as_bytes() {
        [b'0', b'x' | b'X', _, ..] => (16, &text[2..]),
        [b'0', b'o' | b'O', _, ..] => (8, &text[2..]),
        [b'0', b'b' | b'B', _, ..] => (2, &text[2..]),
        [b'0', _, ..] => (8, &text[1..]),
        _ => (10, text),
    };
    // from_str_radix takes a sign, Go does not at this place.
    if !digits.as_bytes().first()?.is_ascii_alphanumeric() {
        return None;
    }
    u64::from_str_radix(digits, radix).ok()
}

/// go-yaml's own second try at `0b` and `-0b`, which lets a sign stand behind the prefix: `0b-1`.
fn parse_binary_leftover(text: &str) -> Option<Scalar> {
    if let Some(digits) = text.strip_prefix("0b") {
        return i64::from_str_radix(digits, 2).ok().map(Scalar::Int);
    }
    let digits = text.strip_prefix("-0b")?;
    i64::from_str_radix(&format!("-{digits}"), 2).ok().map(Scalar::Int)
}

/// `^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$`
fn is_float(text: &str) -> bool {
    let digits = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let mut rest = text.as_bytes();
    if let [b'-' | b'+', tail @ ..] = rest {
        rest = tail;
    }
    let whole = digits(rest);
    rest = &rest[whole..];
    if let [b'.', tail @ ..] = rest {
        let fraction = digits(tail);
        if whole == 0 && fraction == 0 {
            return false;
        }
        rest = &tail[fraction..];
    } else if whole == 0 {
        return false;
    }
    if let [b'e' | b'E', tail @ ..] = rest {
        rest = tail;
        if let [b'-' | b'+', tail @ ..] = rest {
            rest = tail;
        }
        let exponent = digits(rest);
        if exponent == 0 {
            return false;
        }
        rest = &rest[exponent..];
    }
    rest.is_empty()
}

/// Go's `strconv.ParseFloat`: a number that is too large is an error, not infinity.
fn parse_float(text: &str) -> Option<f64> {
    text.parse::<f64>().ok().filter(|value| value.is_finite())
}

/// Go's `strconv.ParseFloat` on text that starts with a point: an underscore may stand between two digits.
fn parse_point_float(text: &str) -> Option<f64> {
    if !text.contains('_') {
        return if is_float(text) { parse_float(text) } else { None };
    }
    let bytes = text.as_bytes();
    let between_digits =
        |at: usize| at > 0 && bytes[at - 1].is_ascii_digit() && bytes.get(at + 1).is_some_and(u8::is_ascii_digit);
    if !(0..bytes.len()).all(|at| bytes[at] != b'_' || between_digits(at)) {
        return None;
    }
    let plain = text.replace('_', "");
    if is_float(&plain) { parse_float(&plain) } else { None }
}

/// Whether go-yaml takes `text` for a timestamp. It matters only behind `!!timestamp`: the value stays text.
fn is_timestamp(text: &str) -> bool {
    let mut parts = text.splitn(3, '-');
    let (Some(year), Some(month), Some(rest)) = (parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    let digits_end = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (day, time) = rest.split_at(digits_end);
    let in_range = |text: &str, last: u32| {
        (1..=2).contains(&text.len()) && text.parse().is_ok_and(|value: u32| (1..=last).contains(&value))
    };
    year.len() == 4
        && year.bytes().all(|byte| byte.is_ascii_digit())
        && in_range(month, 12)
        && in_range(day, 31)
        && is_clock(time)
}

fn is_clock(text: &str) -> bool {
    if text.is_empty() {
        return true;
    }
    let zoned = text.starts_with(['T', 't']);
    let Some(clock) = text.strip_prefix(['T', 't', ' ']) else {
        return false;
    };
    let end = clock.bytes().take_while(|byte| byte.is_ascii_digit() || matches!(byte, b':' | b'.')).count();
    let (clock, zone) = clock.split_at(end);
    let fields: Vec<&str> = clock.split(':').collect();
    let clock_is_valid =
        fields.len() == 3 && fields.iter().all(|field| field.starts_with(|first: char| first.is_ascii_digit()));
    let zone_is_valid =
        if zoned { zone == "Z" || (zone.len() == 6 && zone.starts_with(['+', '-'])) } else { zone.is_empty() };
    clock_is_valid && zone_is_valid
}
