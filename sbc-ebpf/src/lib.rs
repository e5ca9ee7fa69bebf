//! An empty library: depending on it lets Cargo track when the program beside it has to be rebuilt.
#![no_std]
