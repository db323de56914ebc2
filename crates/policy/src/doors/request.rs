//! Which door a request takes, by its host and path: the most specific one that takes both.

use super::attach::covers;
use super::{Door, DoorKind, Opening};

/// How well a door fits a request: the host first, then the path; more is nearer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Fit {
    host: usize,
    path: usize,
}

/// Those of `openings` that a request for `host` takes; without a path, every path counts.
pub fn for_request<'o>(openings: &'o [Opening], host: &str, path: Option<&str>) -> Vec<&'o Opening> {
    let fits: Vec<(Fit, &Opening)> =
        openings.iter().filter_map(|opening| Some((fit(&opening.door, host, path)?, opening))).collect();
    let best = fits.iter().map(|(fit, _)| *fit).max();
    fits.into_iter().filter(|(fit, _)| Some(*fit) == best || path.is_none()).map(|(_, opening)| opening).collect()
}

fn fit(door: &Door, host: &str, path: Option<&str>) -> Option<Fit> {
    if !matches!(door.kind, DoorKind::Ingress | DoorKind::Gateway) {
        return None;
    }
    Some(Fit { host: fit_host(door, host)?, path: path.map_or(Some(0), |path| fit_path(door, path))? })
}

/// An exact host before one with a star, the longer of these first, any host last.
fn fit_host(door: &Door, host: &str) -> Option<usize> {
    if door.hosts.is_empty() {
        return Some(0);
    }
    let takes = |pattern: &str| {
        // Of an Ingress the star is one label.
        let is_one = || host.split_once('.').is_some_and(|(_, rest)| pattern.strip_prefix("*.") == Some(rest));
        pattern == host || (covers(pattern, host) && (door.kind == DoorKind::Gateway || is_one()))
    };
    let fits = door.hosts.iter().filter(|pattern| takes(pattern));
    fits.map(|pattern| if **pattern == *host { usize::MAX } else { pattern.len() }).max()
}

/// An exact path before a prefix, the longer of these first, what only the controller can tell last.
fn fit_path(door: &Door, path: &str) -> Option<usize> {
    if door.matches.is_empty() {
        return Some(1);
    }
    let fit = |shown: &String| {
        // Behind a method.
        let shown = shown.split_once(' ').map_or(shown.as_str(), |(first, rest)| match first {
            "=" | "~" => shown.as_str(),
            _ if first.starts_with('/') => first,
            _ => rest,
        });
        if let Some(exact) = shown.strip_prefix("= ") {
            return (exact == path).then_some(usize::MAX);
        }
        match shown.strip_suffix("/*") {
            Some(prefix) => {
                let rest = path.strip_prefix(prefix)?;
                (rest.is_empty() || rest.starts_with('/')).then_some(prefix.len() + 1)
            }
            None => Some(0),
        }
    };
    door.matches.iter().filter_map(fit).max()
}

#[cfg(test)]
mod tests {
    use palisade_model::{Kind, ObjectRef, Place, Protocol};

    use super::*;
    use crate::doors::Source;

    fn door(kind: DoorKind, hosts: &[&str], matches: &[&str]) -> Door {
        Door {
            kind,
            object: ObjectRef { kind: Kind::Ingress, namespace: Some("a".into()), name: "b".into() },
            gateway: None,
            place: Place::new("a.yaml", 1),
            addresses: Vec::new(),
            hosts: hosts.iter().map(|host| (*host).into()).collect(),
            matches: matches.iter().map(|text| (*text).to_owned()).collect(),
            protocol: Protocol::Tcp,
            port: Some(80),
            source_ranges: Vec::new(),
            internal_by: None,
            service: None,
            source: Source::Kept,
        }
    }

    #[test]
    fn the_nearest_host_and_then_the_longest_path_takes_a_request() {
        let better = |host: &str, path: &str, a: &Door, b: &Door| fit(a, host, Some(path)) > fit(b, host, Some(path));
        let exact = door(DoorKind::Ingress, &["a.example"], &["/*"]);
        let star = door(DoorKind::Ingress, &["*.example"], &["/cart/*"]);
        assert!(better("a.example", "/cart/1", &exact, &star));
        let whole = door(DoorKind::Ingress, &["a.example"], &["= /cart"]);
        let prefix = door(DoorKind::Ingress, &["a.example"], &["/cart/*"]);
        assert!(better("a.example", "/cart", &whole, &prefix) && fit(&whole, "a.example", Some("/cart/1")).is_none());
        assert!(better("a.example", "/cart/1", &prefix, &exact) && fit(&prefix, "a.example", Some("/carts")).is_none());
    }

    #[test]
    fn the_star_of_an_ingress_is_one_label() {
        let takes = |kind, host| fit(&door(kind, &["*.example.com"], &[]), host, Some("/")).is_some();
        assert!(takes(DoorKind::Ingress, "a.example.com") && !takes(DoorKind::Ingress, "b.a.example.com"));
        assert!(takes(DoorKind::Gateway, "b.a.example.com") && !takes(DoorKind::Gateway, "example.com"));
    }

    #[test]
    fn a_method_and_a_header_do_not_hide_the_path() {
        let takes = |shown, path| fit(&door(DoorKind::Gateway, &[], &[shown]), "a.example", Some(path)).is_some();
        assert!(takes("GET /cart/* header X", "/cart/1") && !takes("GET /cart/*", "/old"));
        assert!(takes("/cart/* header X", "/cart") && !takes("/cart/* header X", "/old"));
        assert!(takes("~ /a.*", "/old"));
    }
}
