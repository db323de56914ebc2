//! Whether a route attaches to a listener, for which hosts, and whether it may name a backend.

use palisade_model::gateway::{GROUP, Gateway, GatewayRef, Listener, Route, RouteBackend, RouteKind, RoutesFrom};
use palisade_model::object::Name;

use crate::model::Model;

/// Why a route does not attach to a listener.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum NotAttached {
    OtherListener,
    Namespace,
    Kind,
    Host,
}

impl NotAttached {
    /// In words, of a listener.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::OtherListener => "the Gateway has no listener of that name or port",
            Self::Namespace => "`allowedRoutes.namespaces` of the listener does not let this namespace in",
            Self::Kind => "the listener takes no routes of this kind",
            Self::Host => "the route and the listener have no host in common",
        }
    }
}

/// The hosts for which `route` attaches to `listener` by `parent`; none: for all.
pub(crate) fn attach(
    model: &Model,
    gateway: &Gateway,
    listener: &Listener,
    route: &Route,
    parent: &GatewayRef,
) -> Result<Vec<Name>, NotAttached> {
    let is_meant = parent.listener.as_ref().is_none_or(|name| *name == listener.name)
        && parent.port.is_none_or(|port| port == listener.port);
    if !is_meant {
        return Err(NotAttached::OtherListener);
    }
    if !takes_namespace(model, gateway, listener, route) {
        return Err(NotAttached::Namespace);
    }
    let takes_kind = match &listener.route_kinds {
        Some(kinds) => kinds.contains(&route.kind),
        None => route.kind.suits(&listener.protocol),
    };
    if !takes_kind {
        return Err(NotAttached::Kind);
    }
    hosts(listener, route).ok_or(NotAttached::Host)
}

fn takes_namespace(model: &Model, gateway: &Gateway, listener: &Listener, route: &Route) -> bool {
    match &listener.routes_from {
        RoutesFrom::All => true,
        RoutesFrom::Same => route.meta.namespace() == gateway.meta.namespace(),
        RoutesFrom::Selector(selector) => selector.matches(&model.namespace_labels(route.meta.namespace())),
        RoutesFrom::None => false,
    }
}

/// The hosts that both name; `None` when there is none.
fn hosts(listener: &Listener, route: &Route) -> Option<Vec<Name>> {
    let has_hosts = match route.kind {
        RouteKind::Grpc | RouteKind::Http | RouteKind::Tls => true,
        RouteKind::Tcp | RouteKind::Udp => false,
    };
    if !has_hosts || route.hostnames.is_empty() {
        return Some(listener.hostname.iter().cloned().collect());
    }
    let Some(own) = &listener.hostname else { return Some(route.hostnames.clone()) };
    let common: Vec<Name> = route.hostnames.iter().filter_map(|host| narrower(own, host).cloned()).collect();
    (!common.is_empty()).then_some(common)
}

/// Of two hosts the one that lies in the other; a leading `*.` stands for one label or more.
fn narrower<'h>(a: &'h Name, b: &'h Name) -> Option<&'h Name> {
    if a == b || covers(a, b) {
        Some(b)
    } else if covers(b, a) {
        Some(a)
    } else {
        None
    }
}

/// Whether `pattern` stands for `host` too.
pub(crate) fn covers(pattern: &str, host: &str) -> bool {
    let Some(suffix) = pattern.strip_prefix('*') else { return pattern == host };
    let host = host.strip_prefix("*").unwrap_or(host);
    host.len() > suffix.len() && host.ends_with(suffix) || host == suffix && pattern.len() == host.len() + 1
}

/// Whether `route` may name `backend`: it lies in its own namespace, or a ReferenceGrant of the backend's allows it.
pub(crate) fn may_refer(model: &Model, route: &Route, backend: &RouteBackend) -> bool {
    if backend.namespace.as_ref() == route.meta.namespace() {
        return true;
    }
    let grants = model.inventory.reference_grants.iter();
    grants.filter(|grant| grant.meta.namespace() == &*backend.namespace).any(|grant| {
        let from = grant.from.iter().any(|(group, kind, namespace)| {
            &**group == GROUP && &**kind == route.kind.kind().as_str() && &**namespace == route.meta.namespace()
        });
        let to = grant.to.iter().any(|(group, kind, name)| {
            *group == backend.group && *kind == backend.kind && name.as_ref().is_none_or(|name| *name == backend.name)
        });
        from && to
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_one_label_or_more() {
        assert!(covers("*.example.com", "a.example.com") && covers("*.example.com", "b.a.example.com"));
        assert!(covers("*.example.com", "*.a.example.com") && covers("*.example.com", "*.example.com"));
        assert!(!covers("*.example.com", "example.com") && !covers("a.example.com", "*.example.com"));
        assert!(!covers("*.example.com", "badexample.com") && covers("a.example", "a.example"));
    }

    #[test]
    fn the_narrower_of_two_hosts_is_what_both_have() {
        let common = |a: &str, b: &str| narrower(&Name::from(a), &Name::from(b)).map(|name| name.to_string());
        assert_eq!(common("*.example.com", "shop.example.com").as_deref(), Some("shop.example.com"));
        assert_eq!(common("shop.example.com", "*.example.com").as_deref(), Some("shop.example.com"));
        assert_eq!(common("*.a.example", "*.example").as_deref(), Some("*.a.example"));
        assert_eq!(common("a.example", "b.example"), None);
    }
}
