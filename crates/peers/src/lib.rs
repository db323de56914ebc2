//! Programs of others, which tests hold ours against. In `programs` lies what is theirs in Go, a module a folder.

#![forbid(unsafe_code)]
