//! Points in time as Go's `time.RFC3339` takes them.

use palisade_model::Timestamp;

/// The instant that `text` names.
pub(crate) fn parse_time(text: &str) -> Option<Timestamp> {
    if is_rfc3339(text) { text.parse().ok() } else { None }
}

/// The shape `2027-01-31T00:00:00[.5](Z|+01:00)`: the timestamp parser takes more.
fn is_rfc3339(text: &str) -> bool {
    const SHAPE: &[u8] = b"0000-00-00T00:00:00";
    let bytes = text.as_bytes();
    if bytes.len() <= SHAPE.len() {
        return false;
    }
    let fits = |byte: &u8, shape: &u8| if *shape == b'0' { byte.is_ascii_digit() } else { byte == shape };
    let (head, tail) = bytes.split_at(SHAPE.len());
    // Go knows no leap second.
    if head.ends_with(b":60") {
        return false;
    }
    let tail = match tail {
        [b'.', fraction @ ..] => {
            let digits = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
            if digits == 0 {
                return false;
            }
            &fraction[digits..]
        }
        tail => tail,
    };
    let zone_is_valid = match tail {
        b"Z" => true,
        [b'+' | b'-', zone @ ..] => zone.len() == 5 && zone.iter().zip(b"00:00").all(|(byte, shape)| fits(byte, shape)),
        _ => false,
    };
    head.iter().zip(SHAPE).all(|(byte, shape)| fits(byte, shape)) && zone_is_valid
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_go() {
        for text in
            ["2027-01-31T00:00:00Z", "2027-01-31T00:00:00.5Z", "2027-01-31T00:00:00+01:00", "0001-01-01T00:00:00Z"]
        {
            assert!(parse_time(text).is_some(), "{text}");
        }
        for text in [
            "",
            "2027-01-31",
            "2027-02-31T00:00:00Z",
            "2027-01-31t00:00:00z",
            "2027-01-31T23:59:60Z",
            "2027-01-31T00:00:00",
            "2027-01-31 00:00:00Z",
        ] {
            assert_eq!(parse_time(text), None, "{text}");
        }
    }
}
