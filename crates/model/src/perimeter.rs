//! `palisade.dev/v1alpha1` Perimeter and ClusterPerimeter: what closes pods.

use serde::Serialize;

use crate::access_policy::{Entity, Mode};
use crate::object::Meta;
use crate::selector::Selector;

/// A Perimeter, or a ClusterPerimeter when `meta` has no namespace.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Perimeter {
    /// Metadata and place.
    pub meta: Meta,
    /// Enforce unless the manifest says Audit; in Audit it closes nothing.
    pub mode: Mode,
    /// `subject.selector`: the pods that it closes; empty selects all.
    pub selector: Selector,
    /// `subject.namespaceSelector`: always present on a ClusterPerimeter, never on a Perimeter.
    pub namespace_selector: Option<Selector>,
    /// `directions` has Ingress; both directions when the manifest is silent.
    pub ingress: bool,
    /// `directions` has Egress.
    pub egress: bool,
    /// Whether the pod's own address and loopback are closed too.
    pub loopback: Loopback,
    /// Parties that stay reachable; none when the manifest is silent.
    pub except: Vec<Entity>,
    /// What a refused sender sees.
    pub on_refusal: OnRefusal,
}

/// Whether a Perimeter reaches inside the pod.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize)]
#[allow(missing_docs)]
pub enum Loopback {
    #[default]
    Open,
    Closed,
}

/// What a refused sender sees.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize)]
pub enum OnRefusal {
    /// A reset (TCP) or an ICMP error, at once.
    #[default]
    Reset,
    /// Nothing: the sender times out.
    Drop,
}
