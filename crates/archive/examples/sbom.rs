//! The CycloneDX bill of an image, without the rest of the program: to measure it, and to try a reader on a file.
//!
//! `cargo run --release -p palisade-archive --example sbom -- LAYOUT > sbom.json`

use std::path::Path;
use std::process::ExitCode;

use palisade_archive::{Place, Request};
use palisade_image::sbom::{About, render_cyclonedx};
use palisade_image::{Collector, Functions, LockFiles, Options};

fn main() -> ExitCode {
    let Some(image) = std::env::args().nth(1) else {
        eprintln!("usage: sbom IMAGE");
        return ExitCode::from(2);
    };
    let path = Path::new(&image);
    let read = Place::at(path).and_then(|place| {
        let lock_files = if matches!(place, Place::Sources) { LockFiles::Read } else { LockFiles::Skip };
        let mut collector = Collector::new(Options { functions: Functions::Skip, lock_files });
        let read = palisade_archive::read(&place, path, &Request::default(), &mut collector)?;
        Ok(collector.finish(read.config, read.problems))
    });
    match read {
        Ok(catalogue) => {
            let bill = render_cyclonedx(&catalogue, &About::default());
            println!("{}", serde_json::to_string_pretty(&bill).expect("it can be written"));
            catalogue.problems.iter().for_each(|problem| eprintln!("{problem}"));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}
