//! The published manifests of two well-known applications load without a problem.

use std::path::PathBuf;

use palisade_manifests::load;
use palisade_model::{Inventory, Outcome};
use palisade_peers::shared;

/// The inventory of `paths` below `../shared/apps`, or `None` (with a note) where that folder is missing.
fn load_app(paths: &[&str]) -> Option<Outcome<Inventory>> {
    let apps = shared("apps")?;
    let paths: Vec<PathBuf> = paths.iter().map(|path| apps.join(path)).collect();
    Some(load(&paths, std::io::empty()).expect("the paths exist"))
}

fn counts(inventory: &Inventory) -> [usize; 5] {
    [
        inventory.namespaces.len(),
        inventory.workloads.len(),
        inventory.services.len(),
        inventory.service_accounts.len(),
        inventory.network_policies.len(),
    ]
}

#[test]
fn online_boutique_loads_without_a_problem() {
    let Some(outcome) = load_app(&["online-boutique/manifests", "online-boutique/networkpolicies"]) else { return };
    assert_eq!(outcome.problems, []);
    assert_eq!(counts(&outcome.value), [0, 12, 12, 11, 13]);
    assert_eq!(outcome.value.unreadable, []);
    assert_eq!(outcome.value.other_kinds.values().sum::<u32>(), 2);
}

#[test]
fn online_boutique_in_one_file_is_the_same() {
    let Some(one) = load_app(&["online-boutique/release-all.yaml"]) else { return };
    assert_eq!(one.problems, []);
}

#[test]
fn sock_shop_loads_without_a_problem() {
    let Some(outcome) = load_app(&["sock-shop/manifests", "sock-shop/networkpolicies"]) else { return };
    assert_eq!(outcome.problems, []);
    assert_eq!(counts(&outcome.value), [2, 15, 14, 0, 13]);
}
