//! The book, its code compiled and run.
