//! The source itself: the rules of ARCHITECTURE.md, the book, and the template of a service.

mod book;
mod imports;
mod lists;
mod names;
mod packages;
mod structure;
mod template;
