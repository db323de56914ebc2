//! The same packages and findings as other scanners', on the same images: each difference has its reason in
//! `differences.txt`.

mod images;
mod osv_scanner;
mod reasons;
mod syft;
