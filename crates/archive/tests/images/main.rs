//! Images of every form: small ones that the tests write, and those beside the project.

mod hostile;
mod layers;
mod layout;
mod shared;
mod tar_writer;
