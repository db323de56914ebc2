//! The part of an inventory judges its links as the whole does.

use std::sync::Arc;

use palisade_manifests::load_text;
use palisade_worlds::anything;

use super::*;

#[test]
fn a_part_judges_its_links_as_the_whole_does() {
    let mut asked = 0;
    for seed in 0..60 {
        let world = anything::generate(seed);
        let mut inventory = load_text("world.yaml", &world.yaml).value;
        inventory.unreadable.extend(world.unreadable.iter().cloned());
        let model = Model::new(Arc::new(inventory), world.settings.clone()).value;
        for link in &world.links {
            let (Ok(situation), Ok(whole)) = (model.situation(link, world.now), model.judge(link, world.now)) else {
                continue;
            };
            let search = Search::new(&model, &situation, link);
            for keep in [Keep::Naming, Keep::Everything] {
                let part = search.parts.of(&search.own_pods(), &search.addresses(), keep);
                let part = Model::new(Arc::new(part), world.settings.clone()).value;
                assert_eq!(Ok(&whole), part.judge(link, world.now).as_ref(), "seed {seed}: {link:?} {keep:?}");
                asked += 1;
            }
        }
    }
    assert!(asked > 2_000, "{asked}");
}
