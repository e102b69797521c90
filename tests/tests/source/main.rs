//! The source itself: the rules of ARCHITECTURE.md, the book, the documentation's prose, and the template of a service.

mod book;
mod imports;
mod links;
mod lists;
mod markdown;
mod names;
mod packages;
mod prose;
mod structure;
mod template;
