//! The source itself: the rules of ARCHITECTURE.md, the book, lists that stand in several places, and the template of a
//! service.

mod book;
mod lists;
mod structure;
mod template;
