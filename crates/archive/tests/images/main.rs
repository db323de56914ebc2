//! Images of every form: small ones that the tests write, and those beside the project.

mod bill;
mod damaged;
mod elf_writer;
mod hostile;
mod layers;
mod layout;
mod packages;
mod peer;
mod shared;
mod tar_writer;
mod zip_writer;
